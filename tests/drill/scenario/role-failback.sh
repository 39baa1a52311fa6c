# shellcheck shell=bash disable=SC2034
# the active balancer crashes, comes back empty, takes its addresses back, crashes again

needs gate
PREEMPT='preempt_delay 0'
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
flows_few away
settle
node_returns lb-a
taken_back_by lb-a
flows_few back
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
