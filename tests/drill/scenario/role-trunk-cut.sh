# shellcheck shell=bash disable=SC2034
# with adverts over the sync link: the standby's uplink is cut, later the active one's

VRRP_PATH=sync
GATEWAY_CHECK=yes
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
uplink lb-b front down
not_taken_from lb-a
uplink lb-b front up
steady lb-a lb-b
fault
uplink lb-a front down
taken_over_by lb-b
