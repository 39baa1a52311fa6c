# shellcheck shell=bash disable=SC2034
# the active balancer is told to hand its group over, adverts each 100 ms

ADVERT_MS=100
. tests/drill/scenario/role-handover.sh
