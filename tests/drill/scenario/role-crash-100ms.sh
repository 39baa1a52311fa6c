# shellcheck shell=bash disable=SC2034
# the active balancer loses its power, adverts each 100 ms

ADVERT_MS=100
. tests/drill/scenario/crash.sh
