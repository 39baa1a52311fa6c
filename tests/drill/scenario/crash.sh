# shellcheck shell=bash
# the active balancer loses its power; the other one takes over

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
say 5 demand excess_ms=50
fault
power_off lb-a
taken_over_by lb-b
