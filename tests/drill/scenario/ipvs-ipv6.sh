# shellcheck shell=bash disable=SC2034
# IPVS NAT over IPv6: the active balancer loses its power

VIRTUAL=(tcp6)
balancers_up lb-a lb-b
flows idle6 synced tcp idle cl "${FRONT6[web]}" 80 20
flows mute6 synced tcp mute cl "${FRONT6[web]}" 80 20
flows_ipvs
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
