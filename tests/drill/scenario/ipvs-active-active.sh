# shellcheck shell=bash disable=SC2034
# IPVS NAT, two groups, each active on another node; one node loses its power and comes back

needs gate
PREEMPT=
SITE_GROUPS=(web shop)
VIRTUAL=(tcp4)
site_up lb-a lb-b
servers_start
for node in lb-a lb-b; do
  sync_start $node
  keepalived_start $node
done
addresses_of shop
wait_owner lb-b 30 "${ADDRESSES[@]}"
addresses_of web
wait_owner lb-a 30 "${ADDRESSES[@]}"
flows_few_ipvs
flows shop4 synced tcp paced cl "${FRONT4[shop]}" 80 30 pace_ms=500
flows shopidle4 synced tcp idle cl "${FRONT4[shop]}" 80 10
steady lb-a lb-b
addresses_of shop
steady lb-b lb-a
addresses_of web
fault
power_off lb-a
taken_over_by lb-b
node_returns lb-a
taken_back_by lb-a
