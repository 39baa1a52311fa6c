# shellcheck shell=bash disable=SC2034
# the standby is started when the flows are there already

site_up lb-a lb-b
servers_start
sync_start lb-a
keepalived_start lb-a
wait_owner lb-a 10 "${ADDRESSES[@]}"
flows_usual
settle 60
sync_start lb-b
keepalived_start lb-b
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
