# shellcheck shell=bash disable=SC2034
# the active one is cut off from clients and peer, serves on alone, and then both meet again

balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
cable lb-a sync down
uplink lb-a front down
taken_over_by lb-b
flows_few split
settle
# The winner hears of what was born beyond the split once the loser has given way, but is sent its
# packets before: TCP asks again, a UDP flow may be moved. The report counts these as apart_udp.
cable lb-a sync up
fault
uplink lb-a front up
wait_released lb-b 10 "${ADDRESSES[@]}"
settle
say 5 healed
