# shellcheck shell=bash disable=SC2034
# of three balancers the active one is told to hand its group over to the one of the lowest priority

needs handover
balancers_up lb-a lb-b lb-c
flows_usual
steady lb-a lb-b lb-c
say 5 demand excess_ms=50
fault
sync_handover lb-a web lb-c
taken_over_by lb-c
