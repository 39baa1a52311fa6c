# shellcheck shell=bash disable=SC2034
# IPVS, UDP by IPIP tunnels: each client must stay with its server when the active balancer is lost

FORWARD=TUN
CONNTRACK=0
VIRTUAL=(udp4)
balancers_up lb-a lb-b
servers_direct
ip -n cl link set front mtu 1400 # room for the tunnel's header
flows udp4 synced udp paced cl "${FRONT4[web]}" 80 60 pace_ms=500
flows idle4 synced udp idle cl "${FRONT4[web]}" 80 20
flows_control "" 12 6 6
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
