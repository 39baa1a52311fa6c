# shellcheck shell=bash disable=SC2034
# the active one is cut off from clients and peer, serves on alone; both meet again, sync link first

split_up lb-a lb-b
# As docs/failure-modes.md has it: who is to stay knows all flows before it is sent their packets.
split_knows() {
  [ "$(node_status lb-a web flows)" -ge "$(node_status lb-b web flows)" ] &&
    [ "$(node_status lb-a web installed)" -ge "$(node_status lb-a web flows)" ]
}
begin=$(date +%s%N)
cable lb-a sync up
until_true 10 "lb-a to know what was born on lb-b" split_knows
fact known_ms $((($(date +%s%N) - begin) / 1000000))
fault
uplink lb-a front up
wait_released lb-b 10 "${ADDRESSES[@]}"
settle
say 5 healed
