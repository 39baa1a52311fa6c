# shellcheck shell=bash disable=SC2034
# site.sh: the site of a drill, in network namespaces.
#
#        cl  clients and outside hosts 203.0.113.100-109, 2001:db8::100
#         |  router 172.16.0.1
#   [ fc: front core ]                       sw: all the switches, in one namespace; each
#      /          \                          balancer has access switches of its own
#   [fa]          [fb]   ([fc]: lb-c)
#     | front       | front                  front  172.16.0.N  fd00:f::N   VIP 203.0.113.10/24
#  +------+  sync +------+                                                  2001:db8::10/64
#  | lb-a |--[ s ]--| lb-b |                 sync   10.9.9.N
#  +------+       +------+
#     | back        | back                   back   10.0.0.N    fd00:b::N   VIP 10.0.0.1
#   [ba]          [bb]                                                      fd00:b::1
#      \          /
#   [ bc: back core ]                        N is 2 for lb-a, 3 for lb-b, 4 for lb-c
#     |     |     |
#    rs1   rs2   rs3                         10.0.0.11-13, fd00:b::11-13, routed 10.77.0.11-13,
#                                            fd00:77::11-13 (control flows: no NAT, not tracked)
#
# The group `shop` of active-active sites has 203.0.113.20, 2001:db8::20 in front, 10.0.0.254 and
# fd00:b::fe behind, and the same servers at 10.0.0.21-23, fd00:b::21-23, which answer by way of it.
#
# A balancer ("box") has a network, a mount and a pid namespace: killing its first process is the
# loss of its power. Its disk, $WORK/NODE/disk, stays. Sourced by one.sh.

SERVERS=(rs1 rs2 rs3)
declare -A NODE_NUMBER=([lb-a]=2 [lb-b]=3 [lb-c]=4)
declare -A BOX       # pid of a running box's first process
declare -A OWNER     # of each address that a balancer added after its start
declare -A OWNED_NS  # since when
declare -A LOST_NS   # when its owner gave it up
declare -A GONE_NS   # since when nobody had it before its owner got it
SYNC_LINKS=1         # 2: a second sync link, with a switch of its own; 10.9.10.N
SYNC_MTU=1500        # of the first sync link
WATCH=               # fd of the fifo that the address watchers write to

# A box runs a command: in_box NODE COMMAND...
in_box() {
  local node=$1
  shift
  nsenter -t "${BOX[$node]}" -m -n -p -- "$@"
}

# The letter of a node's switches and ports.
letter() { echo "${1#lb-}"; }

# Settings of every namespace, before its links come up.
quiet_netns() {
  local ns=$1
  ip netns exec "$ns" sysctl -q -w net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.all.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
    net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_ra=0
  ip -n "$ns" link set lo up
}

make_netns() {
  ip netns add "$1"
  quiet_netns "$1"
}

switches_up() {
  local node n
  {
    echo "link add fcore type bridge mcast_snooping 0"
    echo "link add bcore type bridge mcast_snooping 0"
    echo "link add sync type bridge mcast_snooping 0"
    for node; do
      n=$(letter "$node")
      echo "link add f$n type bridge mcast_snooping 0"
      echo "link add b$n type bridge mcast_snooping 0"
      echo "link add f$n-up type veth peer name fcore-$n"
      echo "link add b$n-up type veth peer name bcore-$n"
      echo "link set f$n-up master f$n up"
      echo "link set b$n-up master b$n up"
      echo "link set fcore-$n master fcore up"
      echo "link set bcore-$n master bcore up"
      echo "link set f$n up"
      echo "link set b$n up"
    done
    echo "link set fcore up"
    echo "link set bcore up"
    echo "link set sync up"
    if [ "$SYNC_LINKS" = 2 ]; then
      echo "link add sync2 type bridge mcast_snooping 0"
      echo "link set sync2 up"
    fi
  } | ip -n sw -batch - || die "cannot build the switches"
}

clients_up() {
  local i
  {
    echo "link add front type veth peer name cl netns sw"
    for i in {100..109}; do echo "addr add 203.0.113.$i/24 dev front"; done
    echo "addr add 172.16.0.1/24 dev front"
    echo "addr add 2001:db8::100/64 dev front nodad"
    echo "link set front up"
    echo "route add 10.77.0.0/24 via 203.0.113.10 src 203.0.113.100"
    echo "route add fd00:77::/64 via 2001:db8::10 src 2001:db8::100"
  } | ip -n cl -batch - || die "cannot build the clients"
  ip -n sw link set cl master fcore up
  ip netns exec cl sysctl -q -w net.ipv4.ip_local_port_range='1024 65000'
}

server_up() {
  local name=$1 n=$((10 + ${1#rs}))
  make_netns "$name"
  {
    echo "link add back type veth peer name $name netns sw"
    echo "addr add 10.0.0.$n/24 dev back"
    echo "addr add 10.77.0.$n/32 dev back"
    echo "addr add fd00:b::$n/64 dev back nodad"
    echo "addr add fd00:77::$n/128 dev back nodad"
    echo "link set back up"
    echo "route add default via 10.0.0.1 src 10.0.0.$n"
    echo "route add default via fd00:b::1 src fd00:b::$n"
    echo "addr add 10.0.0.$((n + 10))/24 dev back"
    echo "addr add fd00:b::$((n + 10))/64 dev back nodad"
    echo "rule add from 10.0.0.$((n + 10)) lookup 20"
    echo "route add 10.0.0.0/24 dev back table 20"
    echo "route add fd00:b::/64 dev back table 20"
    echo "route add default via 10.0.0.254 table 20"
    echo "route add default via fd00:b::fe table 20"
  } | ip -n "$name" -batch - || die "cannot build $name"
  ip -6 -n "$name" rule add from fd00:b::$((n + 10)) lookup 20
  ip -n sw link set "$name" master bcore up
}

# Servers get a leg in front, 203.0.113.201-203, to answer the clients by. Call after site_up.
servers_in_front() {
  local name
  for name in "${SERVERS[@]}"; do
    ip netns exec "$name" sysctl -q -w net.ipv4.conf.all.arp_ignore=1 \
      net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.default.rp_filter=0
    {
      echo "link add front type veth peer name $name-f netns sw"
      echo "link set front up"
      echo "addr add 203.0.113.$((200 + ${name#rs}))/24 dev front"
    } | ip -n "$name" -batch - || die "cannot give $name a leg in front"
    ip -n sw link set "$name-f" master fcore up
  done
}

# Each node's own choice of servers for the same client: luck cannot pass for sync.
ruleset() {
  local n=${NODE_NUMBER[$1]} i web4='' web6=''
  for i in 0 1 2; do
    web4+="${web4:+, }$i : 10.0.0.1$(((i + n) % 3 + 1))"
    web6+="${web6:+, }$i : fd00:b::1$(((i + n) % 3 + 1))"
  done
  sed -e "s/@WEB4@/$web4/" -e "s/@WEB6@/$web6/" -e "s/@SHOP4@/${web4//0.0.1/0.0.2}/" \
    -e "s/@SHOP6@/${web6//::1/::2}/" tests/drill/balancer.nft
}

# Cables: front, back and sync, each to the node's port of its switch.
box_plug() {
  local node=$1 n=${NODE_NUMBER[$1]} l server
  l=$(letter "$node")
  {
    echo "link add front address 02:00:00:00:01:0$n type veth peer name $l-front netns sw"
    echo "link add back address 02:00:00:00:02:0$n type veth peer name $l-back netns sw"
    echo "link add sync mtu $SYNC_MTU address 02:00:00:00:03:0$n type veth" \
      "peer name $l-sync mtu $SYNC_MTU netns sw"
    echo "addr add 172.16.0.$n/24 dev front"
    echo "addr add fd00:f::$n/64 dev front nodad"
    echo "addr add 10.0.0.$n/24 dev back"
    echo "addr add fd00:b::$n/64 dev back nodad"
    echo "addr add 10.9.9.$n/24 dev sync"
    echo "link set front up"
    echo "link set back up"
    echo "link set sync up"
    for server in "${SERVERS[@]}"; do
      echo "route add 10.77.0.1${server#rs} via 10.0.0.1${server#rs}"
      echo "route add fd00:77::1${server#rs} via fd00:b::1${server#rs}"
    done
  } | ip -n "$node" -batch - || die "cannot plug $node"
  [ "$SYNC_LINKS" = 1 ] || box_plug_second "$node"
  # A new active node has to find its neighbours; an answer that comes before the kernel is at home
  # at a new IPv6 address is lost, and by default asked for again after a second only.
  ip netns exec "$node" sysctl -q -w net.ipv6.neigh.front.retrans_time_ms=100 \
    net.ipv6.neigh.back.retrans_time_ms=100
  ip -n sw -batch - <<END
link set $l-front master f$l up
link set $l-back master b$l up
link set $l-sync master sync up
END
}

box_plug_second() {
  local node=$1 n=${NODE_NUMBER[$1]} l
  l=$(letter "$node")
  ip -n "$node" -batch - <<END || die "cannot plug $node"
link add sync2 address 02:00:00:00:04:0$n type veth peer name $l-sync2 netns sw
addr add 10.9.10.$n/24 dev sync2
link set sync2 up
END
  ip -n sw link set "$l-sync2" master sync2 up
}

# A scenario may define this anew: NODE's own settings.
box_settings() { :; }

# A new kernel, the disk as it is.
box_up() {
  local node=$1 starter
  mkdir -p "$WORK/$node/disk"
  rm -f "$WORK/$node/ready"
  unshare --net --mount --pid --fork --kill-child --mount-proc \
    tests/drill/box.sh "$WORK/$node" >>"$WORK/$node/log" 2>&1 &
  starter=$!
  disown "$starter"
  until_true 5 "$node to start" test -e "$WORK/$node/ready"
  BOX[$node]=$(pgrep -P "$starter")
  ip netns attach "$node" "${BOX[$node]}"
  quiet_netns "$node"
  ip netns exec "$node" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
    net.netfilter.nf_conntrack_tcp_loose=0 net.netfilter.nf_conntrack_events=1
  box_settings "$node"
  box_plug "$node"
  ruleset "$node" | ip netns exec "$node" nft -f - || die "$node refuses the rules"
  in_box "$node" "$B/drill/watch" "$node" >>"$WORK/watch.fifo" &
  disown $!
}

# Loss of power: nothing leaves any more, then nothing runs any more. The sync link goes first,
# which is the hardest for whoever syncs.
power_off() {
  local node=$1 l
  l=$(letter "$node")
  [ "$SYNC_LINKS" = 1 ] || ip -n sw link set "$l-sync2" down
  ip -n sw -batch - <<END
link set $l-sync down
link set $l-front down
link set $l-back down
END
  kill -KILL "${BOX[$node]}"
  unset "BOX[$node]"
  ip netns del "$node"
  forget_owner "$node"
}

# The cables of a dead box's kernel go when its last user does; a new one needs the ports now.
box_unplug() {
  local l
  l=$(letter "$1")
  [ "$SYNC_LINKS" = 1 ] || ip -n sw link del "$l-sync2"
  ip -n sw -batch - <<END
link del $l-sync
link del $l-front
link del $l-back
END
}

# Power on after power_off: an empty kernel, the old disk.
power_on() {
  box_unplug "$1"
  box_up "$1"
}

# cable NODE front|back|sync|sync2 up|down: at the switch, so that the node sees its carrier go.
cable() {
  ip -n sw link set "$(letter "$1")-$2" "$3"
}

# uplink NODE front|back up|down: between the node's access switch and the core; no carrier tells it.
uplink() {
  local l
  l=$(letter "$1")
  ip -n sw link set "${2:0:1}$l-up" "$3"
}

# The node's access switches lose their power.
switches_off() {
  local l
  l=$(letter "$1")
  ip -n sw -batch - <<END
link set $l-front down
link set f$l-up down
link set $l-back down
link set b$l-up down
END
}

# lossy NODE PERCENT: that much of what comes over the sync link is lost.
lossy() {
  ip netns exec "$1" nft -f - <<END || die "$1 refuses the rules"
table inet loss {
  chain sync {
    type filter hook prerouting priority -400; policy accept;
    iifname "sync" numgen random mod 100 < $2 drop
  }
}
END
}

# lossy_bursts NODE: of each 500 datagrams that come over the sync link, 100 in a row are lost.
lossy_bursts() {
  ip netns exec "$1" nft -f - <<END || die "$1 refuses the rules"
table inet loss {
  chain sync {
    type filter hook prerouting priority -400; policy accept;
    iifname "sync" numgen inc mod 500 < 100 drop
  }
}
END
}

# count_long NODE: counts datagrams of data over the sync link that need jumbo frames.
count_long() {
  ip netns exec "$1" nft -f - <<END || die "$1 refuses the rules"
table inet long {
  counter data { }
  chain sync {
    type filter hook prerouting priority -400; policy accept;
    iifname "sync" udp dport 8849 udp length > 1500 @th,88,8 1 counter name data
  }
}
END
}

counted_long() {
  ip netns exec "$1" nft list counter inet long data | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

forget_owner() {
  local addr
  for addr in "${!OWNER[@]}"; do
    [ "${OWNER[$addr]}" = "$1" ] && unset "OWNER[$addr]"
  done
  return 0
}

# site_up NODE...: everything but what runs on the balancers.
site_up() {
  local name
  mkfifo "$WORK/watch.fifo"
  exec {WATCH}<>"$WORK/watch.fifo"
  make_netns sw
  make_netns cl
  switches_up "$@"
  clients_up
  for name in "${SERVERS[@]}"; do server_up "$name"; done
  for name; do box_up "$name"; done
}

# Takes one line of the watchers, if there is one within SECONDS.
take_watch() {
  local ns node what addr
  read -r -t "$1" -u "$WATCH" ns node what addr || return 1
  echo "$ns $node $what $addr" >>"$WORK/addresses"
  case $what in
    add)
      GONE_NS[$addr]=$ns
      [ -n "${OWNER[$addr]:-}" ] || GONE_NS[$addr]=${LOST_NS[$addr]:-$ns}
      OWNER[$addr]=$node OWNED_NS[$addr]=$ns
      ;;
    del)
      [ "${OWNER[$addr]:-}" = "$node" ] || return 0
      LOST_NS[$addr]=$ns
      unset "OWNER[$addr]"
      ;;
  esac
}

# wait_owner NODE SECONDS ADDRESS...: until the node holds them all.
wait_owner() {
  local node=$1 end=$((SECONDS + $2 * PATIENCE)) addr missing
  shift 2
  while :; do
    missing=
    for addr; do [ "${OWNER[$addr]:-}" = "$node" ] || missing=$addr; done
    [ -n "$missing" ] || return 0
    [ "$SECONDS" -lt "$end" ] || die "$node did not get $missing"
    take_watch 1
  done
}

# wait_released NODE SECONDS ADDRESS...: until the node holds none of them.
wait_released() {
  local node=$1 end=$((SECONDS + $2 * PATIENCE)) addr left
  shift 2
  while :; do
    left=
    for addr; do [ "${OWNER[$addr]:-}" != "$node" ] || left=$addr; done
    [ -n "$left" ] || return 0
    [ "$SECONDS" -lt "$end" ] || die "$node keeps $left"
    take_watch 1
  done
}
