# shellcheck shell=bash disable=SC2034
# as role-split-brain, but clients reach the one that stays before it hears of their connections

GATEWAY=10.0.0.11 # a check that looks the wrong way: otherwise there is no split
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
cable lb-a sync down
uplink lb-a front down
taken_over_by lb-b
flows_few split
settle
# All 20 UDP flows that were born on the loser may be taken for new ones; TCP asks again and waits.
say 5 demand apart_moved=20
fault
uplink lb-a front up
wait_released lb-b 10 "${ADDRESSES[@]}"
cable lb-a sync up
settle
say 5 healed
