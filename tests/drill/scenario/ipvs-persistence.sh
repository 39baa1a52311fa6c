# shellcheck shell=bash disable=SC2034
# IPVS with persistence: who comes back after the takeover still meets the same server

PERSISTENCE=120
VIRTUAL=(tcp4)
balancers_up lb-a lb-b
flows web4 synced tcp paced cl "${FRONT4[web]}" 80 40 pace_ms=500 from=203.0.113.100 sources=10
flows_control "" 12 6 6
steady lb-a lb-b
servers_by_client lb-a >"$WORK/before"
ipvs_table lb-a >"$WORK/table-a"
ipvs_table lb-b >"$WORK/table-b"
fault
power_off lb-a
taken_over_by lb-b
ipvs_table lb-b >"$WORK/table-b2"
flows back4 synced tcp paced cl "${FRONT4[web]}" 80 40 pace_ms=500 from=203.0.113.100 sources=10
settle
servers_by_client lb-b >"$WORK/after"
ipvs_table lb-b >"$WORK/table-b3"
node_ctl lb-b -j status >"$WORK/status-b"
in_box lb-b ipvsadm -Ln >"$WORK/services-b"
[ "$(wc -l <"$WORK/before")" = 10 ] || problem "not ten clients met one server each: see before"
cmp -s "$WORK/before" "$WORK/after" || problem "clients met other servers than before: see after"
