# shellcheck shell=bash disable=SC2034
# three balancers speak to each other by unicast

needs unicast
SYNC_PEERS='"10.9.9.2", "10.9.9.3", "10.9.9.4"'
usual_crash lb-a lb-b lb-c
