# shellcheck shell=bash disable=SC2034
# the standby's own front cable fails, then is whole again, then the active one crashes

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
cable lb-b front down
not_taken_from lb-a
cable lb-b front up
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
