# shellcheck shell=bash disable=SC2034
# `systemctl stop syncd` on the active balancer, keepalived goes on: what the unit runs hands the role over first

needs handover
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
say 5 demand excess_ms=50
fault
sync_unit_stop lb-a
taken_over_by lb-b
