# shellcheck shell=bash disable=SC2034
# the active balancer's front cable is pulled; it stays alive

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
cable lb-a front down
taken_over_by lb-b
