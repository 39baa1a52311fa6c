# shellcheck shell=bash
# the active balancer loses its power, adverts each 50 ms

. tests/drill/scenario/crash.sh
