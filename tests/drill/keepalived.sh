# shellcheck shell=bash disable=SC2034,SC2016,SC2004
# keepalived.sh: real keepalived on the balancers, by the samples in dist/keepalived/ as they are
# shipped: only the values of the definitions at their head ($NAME=value) are this site's. Sourced by
# one.sh.

ADVERT_MS=${ADVERT_MS:-50}
SAMPLE=            # of dist/keepalived/; empty: active-standby, or active-active with two groups
PREEMPT=nopreempt  # or `preempt_delay 0`: a better node that returns takes the addresses back
GATEWAY=172.16.0.1 # the clients' router
GATEWAY_S=1        # the gateway is asked that often
SITE_GROUPS=(web)  # `shop` is the second one of active-active sites
declare -A FRONT4=([web]=203.0.113.10 [shop]=203.0.113.20)
declare -A FRONT6=([web]=2001:db8::10 [shop]=2001:db8::20)
declare -A BACK4=([web]=10.0.0.1 [shop]=10.0.0.254)
declare -A BACK6=([web]=fd00:b::1 [shop]=fd00:b::fe)
declare -A PRIORITY=([web/lb-a]=120 [web/lb-b]=100 [web/lb-c]=80
  [shop/lb-a]=100 [shop/lb-b]=120 [shop/lb-c]=80)

# The addresses of groups: sets ADDRESSES.
addresses_of() {
  local group
  ADDRESSES=()
  for group; do
    ADDRESSES+=("${FRONT4[$group]}" "${BACK4[$group]}" "${FRONT6[$group]}" "${BACK6[$group]}")
  done
}
addresses_of web

# The site's values for whatever a sample defines.
site_values() {
  local node=$1 group p
  echo "NODE=$node"
  echo "READY=/run/syncd/$node"
  echo "FRONT=front"
  echo "BACK=back"
  echo "GATEWAY=$GATEWAY"
  echo "GATEWAY_S=$GATEWAY_S"
  echo "ADVERT_S=$(printf '%d.%03d' $((ADVERT_MS / 1000)) $((ADVERT_MS % 1000)))"
  echo "PREEMPT=$PREEMPT"
  echo "NOTIFY=$(sync_notify "$node")"
  echo "VIP=${FRONT4[web]}"
  echo "SERVER_1=10.0.0.11"
  echo "SERVER_2=10.0.0.12"
  for group in web shop; do
    p=${group^^}_
    echo "${p}PRIORITY=${PRIORITY[$group/$node]}"
    echo "${p}VIP_FRONT=${FRONT4[$group]}/24"
    echo "${p}VIP_BACK=${BACK4[$group]}/24"
    echo "${p}VIP6_FRONT=${FRONT6[$group]}/64"
    echo "${p}VIP6_BACK=${BACK6[$group]}/64"
  done
}

# sample FILE NODE: the sample with this site's values in its definitions; every other line
# is as shipped. A definition for which the site has nothing to say is an error.
sample() {
  site_values "$2" | awk '
    NR == FNR {
      at = index($0, "=")
      name = substr($0, 1, at - 1)
      value[name] = substr($0, at + 1)
      if (sub(/^WEB_/, "", name)) value[name] = substr($0, at + 1)
      next
    }
    /^\$[A-Z0-9_]+=/ {
      name = substr($0, 2, index($0, "=") - 2)
      if (!(name in value)) exit bad = 1
      $0 = "$" name "=" value[name]
    }
    { print }
    END { exit bad }' - "$1"
}

keepalived_config() {
  local node=$1 name=$SAMPLE
  [ -n "$name" ] || name=$([ ${#SITE_GROUPS[@]} = 1 ] && echo active-standby || echo active-active)
  sample "dist/keepalived/$name.conf" "$node" || die "$name.conf defines what this site lacks"
  site_keepalived "$node"
  sync_keepalived "$node"
}

# What keepalived is to do beside the sample; ipvs.sh and sync-*.sh define these anew.
site_keepalived() { :; }
sync_keepalived() { :; }
KEEPALIVED_PART=(-P)

# What decides who is active; pacemaker.sh defines it anew.
engine_start() { keepalived_start "$1"; }

keepalived_start() {
  local node=$1
  if [ "$SAMPLE" = two-paths ]; then
    in_box "$node" "$PWD/dist/keepalived/vrrp-paths" "169.254.112.${NODE_NUMBER[$node]}/24" front sync ||
      die "$node has no two paths"
  fi
  in_box "$node" mkdir -p "/run/syncd/$node"
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
