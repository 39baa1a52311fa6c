# shellcheck shell=bash disable=SC2034
# of three balancers the active one crashes, and then its successor

balancers_up lb-a lb-b lb-c
flows_usual
steady lb-a lb-b lb-c
fault
power_off lb-a
taken_over_by lb-b
flows_few second
steady lb-b lb-c
fault
power_off lb-b
taken_over_by lb-c
