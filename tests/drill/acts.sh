# shellcheck shell=bash disable=SC2034
# acts.sh: what scenarios are made of. Sourced by one.sh.

EQUAL_BEFORE= # whether all tables were proven equal before the first fault; null: nobody can tell

# needs ABILITY...: the scenario asks something that not all that sync can do.
needs() {
  local ability
  for ability; do
    [[ " ${SYNC_CAN[*]} " == *" $ability "* ]] || skip "SYNC=$SYNC cannot: $ability"
  done
}

# balancers_up NODE...: the whole site with its balancers running, the first one active.
balancers_up() {
  local node first=$1
  site_up "$@"
  servers_start
  for node; do sync_start "$node"; done
  engine_start "$first"
  wait_owner "$first" 10 "${ADDRESSES[@]}"
  shift
  for node; do engine_start "$node"; done
}

# Takes in what the watchers have told so far.
watch_drain() { while take_watch 0.01; do :; done; }

# must_own NODE WHEN: it holds all of $ADDRESSES.
must_own() {
  local addr
  watch_drain
  for addr in "${ADDRESSES[@]}"; do
    [ "${OWNER[$addr]:-}" = "$1" ] && continue
    problem "$1 does not hold $addr $2, ${OWNER[$addr]:-nobody} does"
    return
  done
}

# steady ACTIVE STANDBY...: all flows live, the standbys hold them, the active one has $ADDRESSES.
steady() {
  settle 120
  sync_steady "$@"
  [ -n "$EQUAL_BEFORE" ] || { EQUAL_BEFORE=$(sync_equal "$@") && fact equal_before "$EQUAL_BEFORE"; }
  [ "$EQUAL_BEFORE" != false ] || problem "the tables were not equal before the fault"
  settle
  must_own "$1" "before the fault"
}

# The node takes over what was broken by `fault`: returns when all flows have shown what they do.
taken_over_by() {
  wait_owner "$1" 10 "${ADDRESSES[@]}"
  healed "$1"
  settle
}

# crash FROM TO: the active one loses its power.
crash() {
  fault
  power_off "$1"
  taken_over_by "$2"
}

# usual_crash NODE...: the usual flows over these balancers, of which the first one crashes.
usual_crash() {
  balancers_up "$@"
  flows_usual
  steady "$@"
  crash "$1" "$2"
}

# no_gap NODE...: its stream has lost nothing so far that was not asked for and sent again.
no_gap() {
  local node
  for node; do
    ! node_ctl "$node" -j status | grep -q '"degraded": [1-9]' || problem "the stream to $node had a gap"
  done
}

# links_in_turn NODE...: of two sync links first one fails, then the other, and flows are born meanwhile.
links_in_turn() {
  local node
  needs links
  SYNC_LINKS=2
  balancers_up "$@"
  flows_usual
  steady "$@"
  for node; do cable "$node" sync down; done
  flows_few second
  steady "$@"
  for node; do cable "$node" sync up; done
  for node; do cable "$node" sync2 down; done
  flows_few third
  steady "$@"
  no_gap "$@"
}

# split_up ACTIVE STANDBY: the active one is cut off from clients and peer and serves on alone, while
# the other takes over and flows are born on it.
split_up() {
  GATEWAY=10.0.0.11 # a check that looks the wrong way: otherwise there is no split
  balancers_up "$@"
  flows_usual
  steady "$@"
  fault
  cable "$1" sync down
  uplink "$1" front down
  taken_over_by "$2"
  flows_few split
  settle
}

# What was broken by `fault` ought to have moved nothing: the flows have shown what they do, and the
# node still holds the addresses.
not_taken_from() {
  settle
  settle
  say 5 healed
  must_own "$1" "although it could serve"
}

# A node that lost its power comes back with an empty kernel.
node_returns() {
  power_on "$1"
  sync_start "$1"
  engine_start "$1"
}

# NODE takes its addresses back from another that lives, when it sees fit. The outage begins when the
# first address is given up or taken.
taken_back_by() {
  local addr begin=
  wait_owner "$1" 60 "${ADDRESSES[@]}"
  for addr in "${ADDRESSES[@]}"; do
    [ -n "$begin" ] && [ "$begin" -lt "${GONE_NS[$addr]}" ] || begin=${GONE_NS[$addr]}
  done
  fault "$begin"
  healed "$1"
  settle
}
