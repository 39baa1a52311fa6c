# shellcheck shell=bash disable=SC2034
# the access switches of the active balancer die, front and back

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
switches_off lb-a
taken_over_by lb-b
