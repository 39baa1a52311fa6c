# shellcheck shell=bash disable=SC2034
# the active balancer is shut down in order: keepalived first, then what syncs

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
keepalived_stop lb-a
[[ " ${SYNC_CAN[*]} " != *" stop "* ]] || sync_stop lb-a
taken_over_by lb-b
