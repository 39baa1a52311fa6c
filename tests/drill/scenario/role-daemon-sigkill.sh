# shellcheck shell=bash disable=SC2034
# the daemon of the active balancer is killed, starts anew, and then the box crashes

needs kill
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
sync_signal lb-a KILL
settle
daemon_start lb-a
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
