# shellcheck shell=bash disable=SC2034
# Pacemaker instead of keepalived: a crash, where only the ready one of two is promoted; a handover

needs handover
. tests/drill/pacemaker.sh
SYNC_CONF+=' limits { ready_age_ms = 30000 }' # longer than Pacemaker takes to miss the active
CLUSTER=(lb-a lb-b lb-c)
site_up "${CLUSTER[@]}"
servers_start
for node in "${CLUSTER[@]}"; do sync_start "$node"; done
for node in "${CLUSTER[@]}"; do engine_start "$node"; done
wait_owner lb-a 60 "${ADDRESSES[@]}"
flows_usual
steady lb-a lb-b lb-c
for node in lb-b lb-c; do until_true 20 "$node to be worth 100" scores lb-a "$node" 100; done
cable lb-b sync down
until_true 30 "lb-b to be worth 5" scores lb-a lb-b 5
fault
power_off lb-a
taken_over_by lb-c
cable lb-b sync up
flows_few second
steady lb-c lb-b
until_true 20 "lb-b to be worth 100" scores lb-c lb-b 100
fault
sync_handover lb-c web
taken_over_by lb-b
