# shellcheck shell=bash disable=SC2034
# IPVS through IPIP tunnels: the active balancer, which sees one direction only, loses its power

FORWARD=TUN
CONNTRACK=0
VIRTUAL=(tcp4)
balancers_up lb-a lb-b
servers_direct
ip -n cl link set front mtu 1400 # room for the tunnel's header
flows_ipvs
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
