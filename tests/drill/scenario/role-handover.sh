# shellcheck shell=bash disable=SC2034
# the active balancer is told to hand its group over

needs handover
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
say 5 demand excess_ms=50
fault
sync_handover lb-a web
taken_over_by lb-b
