# shellcheck shell=bash disable=SC2034
# IPVS, UDP by direct routing: each client must stay with its server when the active balancer is lost

FORWARD=DR
CONNTRACK=0
VIRTUAL=(udp4)
balancers_up lb-a lb-b
servers_direct
flows udp4 synced udp paced cl "${FRONT4[web]}" 80 60 pace_ms=500
flows idle4 synced udp idle cl "${FRONT4[web]}" 80 20
flows_control "" 12 6 6
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
