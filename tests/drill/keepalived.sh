# shellcheck shell=bash disable=SC2034
# keepalived.sh: real keepalived on the balancers. Sourced by one.sh.
#
# One VRRP instance holds the front and the back address, each on its own interface; IPv6 addresses
# ride along as excluded ones (a VRRP packet carries one family only).

ADVERT_MS=${ADVERT_MS:-50}
ADDRESSES=(203.0.113.10 10.0.0.1 2001:db8::10 fd00:b::1)
declare -A PRIORITY=([lb-a]=150 [lb-b]=140 [lb-c]=130)

advert_seconds() { printf '%d.%03d' $((ADVERT_MS / 1000)) $((ADVERT_MS % 1000)); }

keepalived_instance() {
  local node=$1
  cat <<END
vrrp_instance web {
  interface front
  state BACKUP
  virtual_router_id 10
  priority ${PRIORITY[$node]}
  advert_int $(advert_seconds)
  ${PREEMPT:-nopreempt}
  virtual_ipaddress {
    203.0.113.10/24 dev front
    10.0.0.1/24 dev back
  }
  virtual_ipaddress_excluded {
    2001:db8::10/64 dev front
    fd00:b::1/64 dev back
  }
  track_interface {
    front
    back
  }
  $(sync_instance "$node" web)
}
END
}

keepalived_config() {
  local node=$1
  cat <<END
global_defs {
  router_id $node
  vrrp_version 3
  vrrp_rt_priority 50
  vrrp_rlimit_rttime 5000000
  vrrp_garp_master_delay 1
  script_user root
  $(sync_globals "$node")
}
END
  keepalived_instance "$node"
}

keepalived_start() {
  local node=$1
  keepalived_config "$node" >"$WORK/$node/keepalived.conf"
  in_box "$node" keepalived -P -n -l -D -f "$WORK/$node/keepalived.conf" \
    >>"$WORK/$node/keepalived.log" 2>&1 &
  disown $!
}

# The pid of the node's keepalived, seen from its own pid namespace.
keepalived_pid() { in_box "$1" cat /run/keepalived.pid; }
