# shellcheck shell=bash disable=SC2034
# a front cable is pulled and plugged five times: ten takeovers, over entries that were kept

needs gate
PREEMPT='preempt_delay 0'
balancers_up lb-a lb-b
flows_usual
for round in 1 2 3 4 5; do
  steady lb-a lb-b
  fault
  cable lb-a front down
  taken_over_by lb-b
  flows_few "round$round"
  settle
  cable lb-a front up
  taken_back_by lb-a
done
