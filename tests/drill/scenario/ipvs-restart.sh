# shellcheck shell=bash disable=SC2034
# IPVS NAT: services lost for a moment on either side, keepalived restarted on either side

VIRTUAL=(tcp4 udp4)
balancers_up lb-a lb-b
flows_few_ipvs
flows idle4 synced tcp idle cl "${FRONT4[web]}" 80 20
steady lb-a lb-b
fault
services_lost lb-b -C
# On the active one a service has to stay: with the last one IPVS leaves the packets to the box itself
# (ip_vs_unregister_hooks), which answers with resets.
services_lost lb-a "-D -t ${FRONT4[web]}:80"
not_taken_from lb-a
keepalived_stop lb-b
keepalived_start lb-b
steady lb-a lb-b
fault
keepalived_stop lb-a
taken_over_by lb-b
