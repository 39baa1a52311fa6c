# shellcheck shell=bash disable=SC2034
# the active's daemon hangs while more flows are born than its kernel has room to tell of

needs pause
SYNC_CONF='conntrack { protocols = { tcp, udp } event_buffer_kb = 64 }'
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
before=$(node_counter lb-a overruns)
sync_signal lb-a STOP
flows_few storm
flows storm-more synced tcp paced cl "${FRONT4[web]}" 80 400
settle
sync_signal lb-a CONT
steady lb-a lb-b
overruns=$(($(node_counter lb-a overruns) - before))
fact overruns "$overruns"
[ "$overruns" -gt 0 ] || problem "no event was lost"
crash lb-a lb-b
