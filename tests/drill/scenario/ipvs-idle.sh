# shellcheck shell=bash disable=SC2034
# IPVS NAT: connections idle since their handshake, and ones silent for most of a timeout at a time

VIRTUAL=(tcp4)
balancers_up lb-a lb-b
for node in lb-a lb-b; do in_box "$node" ipvsadm --set 30 10 20 || die "ipvsadm --set fails"; done
flows slow4 synced tcp paced cl "${FRONT4[web]}" 80 30 pace_ms=18000
flows control4 control tcp paced cl 10.77.0.11 80 12
steady lb-a lb-b
end=$((SECONDS + 50))
while [ $SECONDS -lt $end ]; do settle 60; done
flows mute4 synced tcp mute cl "${FRONT4[web]}" 80 30
settle 60
sync_steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
