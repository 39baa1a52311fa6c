# shellcheck shell=bash
# IPVS NAT behind a strict firewall: the active balancer loses its power; the other one takes over

balancers_up lb-a lb-b
flows_ipvs
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
