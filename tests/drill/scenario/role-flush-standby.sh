# shellcheck shell=bash disable=SC2034
# somebody empties the standby's connection table before the active one crashes

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
in_box lb-b conntrack -F
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
