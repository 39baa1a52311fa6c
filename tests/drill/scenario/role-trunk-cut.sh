# shellcheck shell=bash disable=SC2034
# two-paths.conf as shipped: the standby's uplink is cut, the sync link, at last the active one's uplink

SAMPLE=two-paths
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
uplink lb-b front down
not_taken_from lb-a
uplink lb-b front up
steady lb-a lb-b
fault
cable lb-b sync down
not_taken_from lb-a
cable lb-b sync up
steady lb-a lb-b
fault
uplink lb-a front down
taken_over_by lb-b
