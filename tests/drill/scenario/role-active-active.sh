# shellcheck shell=bash disable=SC2034
# two groups, each active on another node; one takes both, gives one back, and the other way round

needs gate
PREEMPT='preempt_delay 0'
SITE_GROUPS=(web shop)
site_up lb-a lb-b
servers_start
for node in lb-a lb-b; do
  sync_start $node
  keepalived_start $node
done
addresses_of shop
wait_owner lb-b 30 "${ADDRESSES[@]}"
# lb-a had them for a moment: masquerade would take one of them for a connection of the other group.
lacks() { ! in_box "$1" ip -o addr show | grep -qF " $2/"; }
for addr in "${ADDRESSES[@]}"; do until_true 30 "lb-a to give $addr up" lacks lb-a "$addr"; done
addresses_of web
wait_owner lb-a 30 "${ADDRESSES[@]}"
FLOWS_SCALE=60
flows_usual
flows_shop
steady lb-a lb-b
addresses_of shop
steady lb-b lb-a
fault
power_off lb-a
addresses_of web
taken_over_by lb-b
node_returns lb-a
taken_back_by lb-a
steady lb-a lb-b
addresses_of shop
steady lb-b lb-a
fault
power_off lb-b
taken_over_by lb-a
