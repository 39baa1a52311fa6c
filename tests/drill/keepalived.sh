# shellcheck shell=bash disable=SC2034,SC2016,SC2004
# keepalived.sh: real keepalived on the balancers. Sourced by one.sh.
#
# One VRRP instance a group holds its front and its back address, each on its own interface; IPv6
# addresses ride along as excluded ones (a VRRP packet carries one family only).
#
# Of two masters that meet again the better one announces its addresses anew only if it has heard the
# other; without vrrp_higher_prio_send_advert the other may give way unheard, and everybody goes on
# sending to it.

ADVERT_MS=${ADVERT_MS:-50}
PREEMPT=nopreempt  # or empty: a better node that returns takes the addresses back
VRRP_PATH=front    # the interface that carries the adverts
GATEWAY_CHECK=     # not empty: a node that cannot reach the clients' router is at fault
SITE_GROUPS=(web)  # `shop` is the second one of active-active sites
declare -A VRID=([web]=10 [shop]=20)
declare -A FRONT4=([web]=203.0.113.10 [shop]=203.0.113.20)
declare -A FRONT6=([web]=2001:db8::10 [shop]=2001:db8::20)
declare -A BACK4=([web]=10.0.0.1 [shop]=10.0.0.254)
declare -A BACK6=([web]=fd00:b::1 [shop]=fd00:b::fe)
declare -A PRIORITY=([web/lb-a]=150 [web/lb-b]=140 [web/lb-c]=130
  [shop/lb-a]=140 [shop/lb-b]=150 [shop/lb-c]=130)

# The addresses of groups: sets ADDRESSES.
addresses_of() {
  local group
  ADDRESSES=()
  for group; do
    ADDRESSES+=("${FRONT4[$group]}" "${BACK4[$group]}" "${FRONT6[$group]}" "${BACK6[$group]}")
  done
}
addresses_of web

keepalived_instance() {
  local node=$1 group=$2
  cat <<END
vrrp_instance $group {
  interface $VRRP_PATH
  state BACKUP
  virtual_router_id ${VRID[$group]}
  priority ${PRIORITY[$group/$node]}
  advert_int $(printf '%d.%03d' $((ADVERT_MS / 1000)) $((ADVERT_MS % 1000)))
  $PREEMPT
  virtual_ipaddress {
    ${FRONT4[$group]}/24 dev front
    ${BACK4[$group]}/24 dev back
  }
  virtual_ipaddress_excluded {
    ${FRONT6[$group]}/64 dev front
    ${BACK6[$group]}/64 dev back
  }
  track_interface {
    front
    back
  }
${GATEWAY_CHECK:+  track_script {
    gateway
  \}
}$(sync_instance "$node" "$group")
}
END
}

keepalived_config() {
  local node=$1 group
  cat <<END
global_defs {
  router_id $node
  vrrp_version 3
  vrrp_rt_priority 50
  vrrp_rlimit_rttime 5000000
  vrrp_garp_master_delay 1
  vrrp_higher_prio_send_advert true
  script_user root
}
${GATEWAY_CHECK:+vrrp_script gateway {
  script "$PWD/tests/drill/reach.sh"
  interval 1
  timeout 1
  fall 1
  rise 1
  init_fail
\}
}$(sync_keepalived "$node")
END
  for group in "${SITE_GROUPS[@]}"; do keepalived_instance "$node" "$group"; done
  site_keepalived "$node"
}

# More top-level blocks, and what keepalived is to do beside VRRP; ipvs.sh defines both anew.
site_keepalived() { :; }
KEEPALIVED_PART=(-P)

keepalived_start() {
  local node=$1
  keepalived_config "$node" >"$WORK/$node/keepalived.conf"
  in_box "$node" keepalived "${KEEPALIVED_PART[@]}" -n -l -D -f "$WORK/$node/keepalived.conf" \
    >>"$WORK/$node/keepalived.log" 2>&1 &
  disown $!
}

# As `systemctl stop keepalived`: returns when it has given everything up and ended.
keepalived_stop() {
  in_box "$1" sh -c 'pid=$(cat /run/keepalived.pid) && kill -TERM "$pid" &&
    while [ -e "/proc/$pid" ]; do sleep 0.01; done' || die "keepalived on $1 does not stop"
}
