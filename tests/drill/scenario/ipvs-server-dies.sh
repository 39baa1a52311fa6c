# shellcheck shell=bash disable=SC2034
# IPVS NAT: one server dies with the active balancer, another one after the takeover

VIRTUAL=(tcp4 udp4)
balancers_up lb-a lb-b
flows web4 synced tcp paced cl "${FRONT4[web]}" 80 90 pace_ms=500
flows idle4 synced tcp idle cl "${FRONT4[web]}" 80 30
flows udp4 synced udp paced cl "${FRONT4[web]}" 80 30 pace_ms=500
flows control4 control tcp paced cl 10.77.0.13 80 12
steady lb-a lb-b
fault
server_dies 1
power_off lb-a
taken_over_by lb-b
until_true 30 "keepalived on lb-b to take rs1 out" server_is_out lb-b 10.0.0.11
fault
server_dies 2
until_true 30 "keepalived on lb-b to take rs2 out" server_is_out lb-b 10.0.0.12
not_taken_from lb-b
