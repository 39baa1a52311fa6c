# shellcheck shell=bash disable=SC2034
# a hundred datagrams in a row of each five hundred on the sync link are lost, both ways

site_up lb-a lb-b
servers_start
for node in lb-a lb-b; do
  lossy_bursts $node
  sync_start $node
done
keepalived_start lb-a
wait_owner lb-a 10 "${ADDRESSES[@]}"
keepalived_start lb-b
flows_usual
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
