# shellcheck shell=bash disable=SC2034
# the standby's daemon is restarted in order, then the active's, while flows are born

needs stop
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
for node in lb-b lb-a; do
  sync_stop $node
  flows_few "without-$node"
  daemon_start $node
  [ "$(node_status $node web kept)" -gt 0 ] || problem "$node has kept no table over its restart"
  steady lb-a lb-b
done
crash lb-a lb-b
