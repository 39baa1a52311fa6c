# shellcheck shell=bash disable=SC2034
# dr.conf as shipped, connections of IPVS alone: the active balancer loses its power

SAMPLE=dr
SYNC_CONF='conntrack { enabled = false }'
ADDRESSES=("${FRONT4[web]}")
FORWARD=DR
CONNTRACK=0
VIRTUAL=(tcp4)
balancers_up lb-a lb-b
servers_direct
flows web4 synced tcp paced cl "${FRONT4[web]}" 80 60 pace_ms=500
flows idle4 synced tcp idle cl "${FRONT4[web]}" 80 20
flows up4 synced tcp up cl "${FRONT4[web]}" 80 1 kib_s=256
flows control4 control tcp paced cl 10.77.0.13 80 20
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
