# shellcheck shell=bash disable=SC2034
# ipvs.sh: the site of IPVS scenarios: keepalived balances by virtual_servers instead of nftables.
# Sourced by one.sh for scenarios named ipvs-*, which may change what follows before balancers_up.

FORWARD=NAT     # or DR, TUN
CONNTRACK=1     # net.ipv4.vs.conntrack; with it a strict firewall that knows connections
PERSISTENCE=    # seconds
CHECKER=1       # keepalived watches the servers
VIRTUAL=(tcp4 tcp6 udp4)
ADVERT_MS=1000  # guests are slow, and share the machine with others
GATEWAY_S=10
KEEPALIVED_PART=()
PATIENCE=6
CONTROL_KIB_S=256
HANG_MS=20000   # TCP tries again 12.6 s after an outage of more than 6.2 s began

ruleset() {
  if [ "$CONNTRACK" = 1 ]; then
    cat tests/drill/balancer-ipvs.nft
  else
    echo "table inet site { }"
  fi
}

box_settings() {
  ip netns exec "$1" sysctl -q -w "net.ipv4.vs.conntrack=$CONNTRACK" \
    net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
}

# virtual_server ADDRESS PROTOCOL SERVER...
virtual_server() {
  local address=$1 protocol=$2 server
  shift 2
  echo "virtual_server $address 80 {"
  echo "  lvs_sched rr"
  echo "  lvs_method $FORWARD"
  echo "  protocol $protocol"
  echo "  delay_loop 1"
  [ -z "$PERSISTENCE" ] || echo "  persistence_timeout $PERSISTENCE"
  for server; do
    echo "  real_server $server 80 {"
    echo "    weight 1"
    if [ "$CHECKER$protocol" = 1TCP ]; then
      echo "    TCP_CHECK {"
      echo "      connect_timeout 2"
      echo "      retry 2"
      echo "      delay_before_retry 1"
      echo "    }"
    fi
    echo "  }"
  done
  echo "}"
}

# Each node's own order of servers, so that luck cannot pass for sync. Those of the group `shop` are
# the same ones at their second addresses.
site_keepalived() {
  [ -z "$SAMPLE" ] || return 0 # it has its own
  local n=${NODE_NUMBER[$1]} i tens group kind four six
  for group in "${SITE_GROUPS[@]}"; do
    tens=1 four=() six=()
    [ "$group" = web ] || tens=2
    for i in 0 1 2; do
      four+=("10.0.0.$tens$(((i + n) % 3 + 1))")
      six+=("fd00:b::$tens$(((i + n) % 3 + 1))")
    done
    for kind in "${VIRTUAL[@]}"; do
      case $kind in
        tcp4) virtual_server "${FRONT4[$group]}" TCP "${four[@]}" ;;
        tcp6) virtual_server "${FRONT6[$group]}" TCP "${six[@]}" ;;
        udp4) virtual_server "${FRONT4[$group]}" UDP "${four[@]}" ;;
      esac
    done
  done
}

# server_dies N: loss of power; clients that are on it are lost with it.
server_dies() {
  say 5 doom "$1"
  ip -n sw link set "rs$1" down
}

# server_is_out NODE ADDRESS: keepalived's checker has taken it out of every TCP service.
server_is_out() {
  ! in_box "$1" ipvsadm -Ln -t "${FRONT4[web]}:80" | grep -qF "$2:"
}

# services_lost NODE COMMAND: somebody takes services away by ipvsadm COMMAND, and puts them back.
services_lost() {
  in_box "$1" sh -c "ipvsadm -Sn >/run/services && ipvsadm $2 && ipvsadm -Sn >/run/left &&
    sleep 0.3 && grep -vxFf /run/left /run/services | ipvsadm -R" ||
    die "the services of $1 cannot be put back"
}

# DR and TUN: servers hold the virtual addresses without answering for them. Call after site_up.
servers_direct() {
  local name
  servers_in_front
  for name in "${SERVERS[@]}"; do
    ip -n "$name" addr add "${FRONT4[web]}/32" dev lo || die "$name cannot have the address"
    [ "$FORWARD" = TUN ] || continue
    ip -n "$name" link set tunl0 up || die "$name has no tunnel"
    ip netns exec "$name" sysctl -q -w net.ipv4.conf.tunl0.rp_filter=0
  done
}

# flows_ipvs PREFIX: a mix of all that the site's services take, small enough for a guest.
flows_ipvs() {
  local p=${1:+$1-} kind
  for kind in "${VIRTUAL[@]}"; do
    case $kind in
      tcp4)
        flows "${p}web4" synced tcp paced cl "${FRONT4[web]}" 80 100 pace_ms=500
        flows "${p}idle4" synced tcp idle cl "${FRONT4[web]}" 80 20
        flows "${p}mute4" synced tcp mute cl "${FRONT4[web]}" 80 20
        flows "${p}up4" synced tcp up cl "${FRONT4[web]}" 80 1 kib_s=256
        flows "${p}down4" synced tcp down cl "${FRONT4[web]}" 80 1 kib_s=256
        ;;
      tcp6) flows "${p}web6" synced tcp paced cl "${FRONT6[web]}" 80 40 pace_ms=500 ;;
      udp4) flows "${p}udp4" synced udp paced cl "${FRONT4[web]}" 80 30 pace_ms=500 ;;
    esac
  done
  flows_control "$p" 30 12 6
}

# What the node's kernel has, for the log and for those who compare.
ipvs_table() { ip netns exec "$1" cat /proc/net/ip_vs_conn; }

# flows_few_ipvs PREFIX: what flows_ipvs has of IPv4, in a smaller number.
flows_few_ipvs() {
  local p=${1:+$1-}
  flows "${p}web4" synced tcp paced cl "${FRONT4[web]}" 80 30 pace_ms=500
  [[ " ${VIRTUAL[*]} " != *" udp4 "* ]] ||
    flows "${p}udp4" synced udp paced cl "${FRONT4[web]}" 80 15 pace_ms=500
  flows_control "$p" 12 6 6
}

# servers_by_client NODE: a line for each client of 203.0.113.10 and each server that it has.
servers_by_client() {
  ipvs_table "$1" | awk '$1 == "TCP" && $4 == "CB00710A" && $3 != "0000" { print $2, $6 }' | sort -u
}
