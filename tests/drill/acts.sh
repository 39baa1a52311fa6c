# shellcheck shell=bash disable=SC2034
# acts.sh: what scenarios are made of. Sourced by one.sh.

# balancers_up NODE...: the whole site with its balancers running, the first one active.
balancers_up() {
  local node
  site_up "$@"
  servers_start
  for node; do sync_start "$node"; done
  keepalived_start "$1"
  wait_owner "$1" 10 "${ADDRESSES[@]}"
  shift
  for node; do keepalived_start "$node"; done
}

# Takes in what the watchers have told so far.
watch_drain() { while take_watch 0.01; do :; done; }

# steady ACTIVE STANDBY...: all flows live, the standbys hold them, the active one has the addresses.
steady() {
  local active=$1 addr
  settle 60
  sync_steady "$@"
  settle
  watch_drain
  for addr in "${ADDRESSES[@]}"; do
    [ "${OWNER[$addr]:-}" = "$active" ] || die "$active lost $addr before anything was broken"
  done
}

# The node takes over what was broken by `fault`: returns when all flows have shown what they do.
taken_over_by() {
  wait_owner "$1" 10 "${ADDRESSES[@]}"
  healed "$1"
  settle
}
