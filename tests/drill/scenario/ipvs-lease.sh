# shellcheck shell=bash disable=SC2034
# IPVS with short timeouts: flows that live on the active balancer outlive them on the standby

VIRTUAL=(tcp4 udp4)
balancers_up lb-a lb-b
for node in lb-a lb-b; do in_box "$node" ipvsadm --set 6 4 6 || die "ipvsadm --set fails"; done
flows_few_ipvs
steady lb-a lb-b
for _ in {1..8}; do settle; done
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
