# shellcheck shell=bash disable=SC2034
# of two sync links the one that carries the data fails, comes back, and the other fails

SYNC_MODE=failover
links_in_turn lb-a lb-b
crash lb-a lb-b
