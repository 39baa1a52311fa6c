# shellcheck shell=bash disable=SC2034
# three balancers speak to each other by unicast

needs unicast
SYNC_PEERS='"10.9.9.2", "10.9.9.3", "10.9.9.4"'
balancers_up lb-a lb-b lb-c
flows_usual
steady lb-a lb-b lb-c
fault
power_off lb-a
taken_over_by lb-b
