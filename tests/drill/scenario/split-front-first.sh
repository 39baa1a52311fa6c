# shellcheck shell=bash disable=SC2034
# as role-split-brain, but clients reach the one that stays before it hears of their connections

split_up lb-a lb-b
# All 20 UDP flows that were born on the loser may be taken for new ones; TCP asks again and waits.
say 5 demand apart_moved=20
fault
uplink lb-a front up
wait_released lb-b 10 "${ADDRESSES[@]}"
cable lb-a sync up
settle
say 5 healed
