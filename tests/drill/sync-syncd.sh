# shellcheck shell=bash disable=SC2034,SC2016,SC2004
# sync-syncd.sh: syncd on each balancer. Interface: see sync-none.sh. Sourced by one.sh.

SYNC_CAN=(stop kill pause handover gate verify journal guard links unicast)
SYNC_CONF='conntrack { protocols = { tcp, udp } }' # more lines for syncd.conf
SYNC_GROUP= # more options of each group
declare -A DAEMON # another program than syncd, of a node
declare -A GROUP_ID=([web]=1 [shop]=2)
# Who goes out through a group: a flow is known by its original addresses.
declare -A INSIDE4=([web]=10.0.0.8/29 [shop]=10.0.0.16/29)
declare -A INSIDE6=([web]=fd00:b::10/124 [shop]=fd00:b::20/124)

node_ctl() {
  local node=$1
  shift
  in_box "$node" "$B/syncctl" -c "$WORK/$node/syncd.conf" "$@"
}

sync_configure() {
  local node=$1 n=${NODE_NUMBER[$1]} group
  if [ ! -e "$WORK/1.key" ]; then
    "$B/syncctl" genkey "$WORK/1.key" >>"$WORK/log" || die "syncctl genkey fails"
  fi
  {
    echo "node $node { id = $n }"
    echo "link sync0 { interface = \"sync\" ${SYNC_PEERS:+peers = { $SYNC_PEERS \}} }"
    [ "$SYNC_LINKS" = 1 ] ||
      printf '%s\n' 'link sync1 { interface = "sync2" }' "sync { mode = ${SYNC_MODE:-duplicate} }"
    echo "key 1 { file = \"$WORK/1.key\" }"
    for group in "${SITE_GROUPS[@]}"; do
      echo "group $group { id = ${GROUP_ID[$group]}" \
        "match = { \"${FRONT4[$group]}\", \"${FRONT6[$group]}\"," \
        "\"${INSIDE4[$group]}\", \"${INSIDE6[$group]}\" } $SYNC_GROUP }"
    done
    [ -z "${JOURNAL:-}" ] || echo "journal { dir = \"$WORK/$node/journal\" }"
    echo "$SYNC_CONF"
    echo "ipvs { backend = $IPVS }"
  } >"$WORK/$node/syncd.conf"
  in_box "$node" install -m 755 "$PWD/dist/keepalived/syncd-notify" /run/ || die "no notify script"
}

sync_start() {
  local node=$1
  sync_configure "$node"
  daemon_start "$node"
}

daemon_start() {
  local node=$1
  in_box "$node" sh -c 'echo $$ >/run/daemon.pid; exec "$@"' - \
    "$B/${DAEMON[$node]:-syncd}" -c "$WORK/$node/syncd.conf" >>"$WORK/$node/syncd.log" 2>&1 &
  disown $!
  until_true 10 "syncd on $node to answer" node_answers "$node"
}

node_answers() { node_ctl "$1" status >/dev/null 2>&1; }

# sync_signal NODE SIGNAL
sync_signal() { in_box "$1" sh -c "kill -$2 \$(cat /run/daemon.pid)"; }

# sync_size NODE: the daemon's resident KiB and open descriptors.
sync_size() {
  in_box "$1" sh -c 'pid=$(cat /run/daemon.pid)
    echo $(awk "/^VmRSS/ { print \$2 }" "/proc/$pid/status") $(ls "/proc/$pid/fd" | wc -l)'
}

# As `systemctl stop syncd`: its ExecStop as shipped, with nobody in the box to tell of a restart, and
# then the signal.
sync_unit_stop() {
  in_box "$1" env PATH="$B:$PATH" "$PWD/dist/systemd/syncd-stop" "$WORK/$1/syncd.conf" >>"$WORK/log" 2>&1 ||
    problem "syncd-stop fails on $1"
  sync_stop "$1"
}

# What the service manager does to the daemon.
sync_stop() {
  in_box "$1" sh -c 'pid=$(cat /run/daemon.pid) && kill -TERM "$pid" &&
    while [ -e "/proc/$pid" ]; do sleep 0.01; done' || die "syncd on $1 does not stop"
}

# Where keepalived runs scripts from is nobody's but root's.
sync_notify() {
  echo "/run/syncd-notify -c $WORK/$1/syncd.conf -S $B/syncctl"
}

# node_status NODE GROUP JQ-FREE-KEY: a member of the group in `syncctl status -j`.
node_status() {
  node_ctl "$1" -j status 2>/dev/null | tr -d ' \n' |
    sed -n "s/.*{[^{}]*\"name\":\"$2\"[^{}]*\"$3\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# node_counter NODE NAME: one of `syncctl stats`.
node_counter() { node_ctl "$1" stats | sed -n "s/^$2 *//p"; }

node_equal() { [ "$(node_status "$1" "$2" equal)" = true ]; }
# node_has NODE GROUP flows|installed ACTIVE: as many as the active one has flows.
node_has() { [ "$(node_status "$1" "$2" "$3")" -ge "$(node_status "$4" "$2" flows)" ]; }

# knows_flows NODE: its tables hold as many flows as stay.
knows_flows() {
  local group n sum=0
  for group in "${SITE_GROUPS[@]}"; do
    n=$(node_status "$1" "$group" flows)
    sum=$((sum + ${n:-0}))
  done
  [ "$sum" -ge "$FLOWS_STAYING" ]
}

# group_active GROUP NODE
group_active() { [ "$(node_status "$2" "$1" role)" = active ]; }

guard_was_up() { grep -q 'the guard is up' "$WORK/$1/syncd.log"; }
lacks_guard() { ! in_box "$1" nft list tables | grep -q syncd_guard; }

# sync_steady ACTIVE STANDBY...: ACTIVE knows all flows, and the standbys have what it has in every group
# of which it is active.
sync_steady() {
  local active=$1 standby group
  shift
  until_true 30 "$active to know $FLOWS_STAYING flows" knows_flows "$active"
  for group in "${SITE_GROUPS[@]}"; do
    group_active "$group" "$active" || continue
    for standby; do
      until_true 30 "$standby to have the flows of $group" node_has "$standby" "$group" flows "$active"
      until_true 30 "$standby to be equal to $active in $group" node_equal "$standby" "$group"
      [[ $SYNC_GROUP != *takeover* ]] || continue
      until_true 30 "$standby to have all flows in its kernel" \
        node_has "$standby" "$group" installed "$active"
    done
  done
}

# sync_handover NODE GROUP [TO]
sync_handover() {
  node_ctl "$1" handover "${@:2}" >>"$WORK/log" || problem "handover of ${*:2} is refused"
}

sync_equal() {
  local standby group
  shift
  for standby; do
    for group in "${SITE_GROUPS[@]}"; do
      node_ctl "$standby" verify -w 10 "$group" >>"$WORK/log" 2>&1 || { echo false; return; }
    done
  done
  echo true
}

# replay NAME COMMAND ARGUMENT...: sync-replay with the site's key, its output into $WORK/NAME.
replay() {
  local name=$1 command=$2
  shift 2
  "$B/sync-replay" "$command" -k "$WORK/1.key" "$@" >"$WORK/$name" 2>&1
}

# journal_says NODE TEXT: among the transitions in its journal.
journal_says() {
  "$B/sync-replay" dump --json --op state "$WORK/$1/journal" 2>/dev/null | grep -q "$2"
}

# desk_up LIKE: a desk, on which takeovers are rehearsed: desk-a for sync-replay, and syncd on desk-b,
# with a key of their own and the groups of LIKE's configuration.
desk_up() {
  local like=$1 node
  mkdir -p "$WORK/desk-a" "$WORK/desk-b"
  "$B/syncctl" genkey "$WORK/desk-a/1.key" >>"$WORK/log" || die "syncctl genkey fails"
  make_netns desk-a
  make_netns desk-b
  ip -n desk-a link add sync type veth peer name sync netns desk-b || die "cannot build the desk"
  for node in desk-a desk-b; do
    ip -n "$node" addr add "10.9.8.$([ "$node" = desk-a ] && echo 1 || echo 2)/24" dev sync
    ip -n "$node" link set sync up
    {
      echo "rehearsal = true"
      echo "runtime_dir = \"$WORK/$node/run\" state_dir = \"$WORK/$node/state\""
      echo "node $node { id = $([ "$node" = desk-a ] && echo 1 || echo 2) }"
      echo "link sync0 { interface = \"sync\" }"
      echo "key 1 { file = \"$WORK/desk-a/1.key\" }"
      grep -E '^(group|conntrack) ' "$WORK/$like/syncd.conf"
      echo "ipvs { backend = none }"
    } >"$WORK/$node/syncd.conf"
  done
  ip netns exec desk-b nft 'table inet nat {
    chain pre { type nat hook prerouting priority dstnat; }
    chain post { type nat hook postrouting priority srcnat; }
  }' || die "the desk refuses the rules"
  ip netns exec desk-b "$B/syncd" -c "$WORK/desk-b/syncd.conf" >>"$WORK/desk-b/syncd.log" 2>&1 &
  disown $!
  until_true 10 "syncd on the desk to answer" desk_ctl status
}

desk_ctl() { "$B/syncctl" -c "$WORK/desk-b/syncd.conf" "$@" >>"$WORK/log" 2>&1; }

desk_complete() {
  "$B/syncctl" -c "$WORK/desk-b/syncd.conf" -j status | tr -d ' \n' | grep -q '"complete":true'
}

# desk_flows: those of the desk's kernel but for its own (the stream, IGMP of its group), counted.
desk_flows() {
  { ip netns exec desk-b conntrack -L -f ipv4; ip netns exec desk-b conntrack -L -f ipv6; } 2>/dev/null |
    grep -cEv 'dport=8849 |^unknown +2 '
}
