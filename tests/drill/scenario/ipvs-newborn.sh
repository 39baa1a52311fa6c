# shellcheck shell=bash disable=SC2034
# IPVS NAT: a crash while connections are born; those older than 100 ms must live

VIRTUAL=(tcp4)
balancers_up lb-a lb-b
flows_few_ipvs
flows churn4 synced tcp churn cl "${FRONT4[web]}" 80 20 pace_ms=1000
steady lb-a lb-b
say 5 demand newborn_ms=100
fault
power_off lb-a
taken_over_by lb-b
