# shellcheck shell=bash disable=SC2034
# traffic.sh: the clients and servers of a drill; see traffic/drive.c. Sourced by one.sh.

FLOWS_SCALE=${FLOWS_SCALE:-100} # percent of the usual number of paced flows
FLOWS_PACE_MS=1000               # an exchange of each paced flow that often
CONTROL_KIB_S=2048               # of the bulk flow that is only routed
FLOWS_STAYING=0                  # that need sync and live, as of the last settling
HANG_MS=                         # a flow that makes no progress for so long is lost; empty: 10 s
DRIVE_IN=
DRIVE_OUT=
FAULT_NS=
TAKEOVER_MS= # the last one's
TAKEOVERS=() # JSON of each

# Starts servers (when the site stands) and clients (at once, so that a report can be made).
traffic_init() {
  coproc DRIVE { exec "$B/drill/drive" "$SEED"; }
  DRIVE_IN=${DRIVE[1]} DRIVE_OUT=${DRIVE[0]}
  [ -z "$HANG_MS" ] || say 5 hang "$HANG_MS"
}

servers_start() {
  local specs=('/run/netns/cl:7000,7001:9') name line
  for name in "${SERVERS[@]}"; do specs+=("/run/netns/$name:80:${name#rs}"); done
  # (bash warns of a second coprocess in the log; both work.)
  coproc SERVE { exec "$B/drill/serve" "${specs[@]}"; }
  read -r -t $((10 * PATIENCE)) line <&"${SERVE[0]}" || die "the servers do not start"
  [ "$line" = ready ] || die "the servers do not start"
}

# say SECONDS COMMAND...: its answer is in $ANSWER, without the leading word, which is in $STATUS.
say() {
  local limit=$(($1 * PATIENCE))
  shift
  printf '%s\n' "$*" >&"$DRIVE_IN"
  read -r -t "$limit" STATUS ANSWER <&"$DRIVE_OUT" || die "the clients do not answer: $*"
  [ "$STATUS" != error ] || die "the clients refuse: $*: $ANSWER"
}

# flows NAME CLASS PROTO KIND NETNS TO PORT COUNT [more=…]
flows() {
  local name=$1 class=$2 proto=$3 kind=$4 ns=$5 to=$6 port=$7 count=$8
  shift 8
  [ "$kind" = paced ] && count=$((count * FLOWS_SCALE / 100))
  say 10 "flows name=$name class=$class proto=$proto kind=$kind netns=/run/netns/$ns" \
    "to=$to port=$port count=$count pace_ms=$FLOWS_PACE_MS $*"
}

# The usual mix: 2,000 paced TCP flows of all kinds, some bulk, some UDP, and those that are only
# routed, over the same neighbours (a new active one has to find each of them, and IPv6 waits a
# second when it does not at once). PREFIX- parts the groups' names when a scenario opens several mixes.
flows_usual() {
  local p=${1:+$1-} out4=203.0.113.100 out6=2001:db8::100
  flows "${p}web4" synced tcp paced cl "${FRONT4[web]}" 80 1200
  flows "${p}web6" synced tcp paced cl "${FRONT6[web]}" 80 400
  flows "${p}snat4" synced tcp paced rs1 $out4 7000 150
  flows "${p}masq4" synced tcp paced rs2 $out4 7001 150
  flows "${p}snat6" synced tcp paced rs3 $out6 7000 60
  flows "${p}masq6" synced tcp paced rs1 $out6 7001 40
  flows "${p}udp4" synced udp paced cl "${FRONT4[web]}" 80 100
  flows "${p}udp6" synced udp paced cl "${FRONT6[web]}" 80 40
  flows "${p}udpout4" synced udp paced rs2 $out4 7000 40
  flows_control "$p" 450 150 50
  flows_bulk "$p" web
  flows "${p}upout4" synced tcp up rs3 $out4 7000 1 kib_s=2048
  flows "${p}downout4" synced tcp down rs1 $out4 7001 1 kib_s=2048
}

# flows_few PREFIX: a small mix with some of all that needs sync, for a later phase.
flows_few() {
  flows "$1-web4" synced tcp paced cl "${FRONT4[web]}" 80 80
  flows "$1-web6" synced tcp paced cl "${FRONT6[web]}" 80 40
  flows "$1-snat4" synced tcp paced rs1 203.0.113.100 7000 20
  flows "$1-masq4" synced tcp paced rs2 203.0.113.100 7001 20
  flows "$1-udp4" synced udp paced cl "${FRONT4[web]}" 80 20
  flows "$1-up4" synced tcp up cl "${FRONT4[web]}" 80 1 kib_s=1024
  flows "$1-down4" synced tcp down cl "${FRONT4[web]}" 80 1 kib_s=1024
}

# flows_shop PREFIX: those of the second group of an active-active site.
flows_shop() {
  local p=${1:+$1-} out4=203.0.113.100
  flows "${p}shop4" synced tcp paced cl "${FRONT4[shop]}" 80 500
  flows "${p}shop6" synced tcp paced cl "${FRONT6[shop]}" 80 200
  flows "${p}shopout4" synced tcp paced rs2 $out4 7000 100 from=10.0.0.22
  flows "${p}shopudp4" synced udp paced cl "${FRONT4[shop]}" 80 60
  flows_bulk "${p}shop" shop
}

# flows_control PREFIX TCP4 TCP6 UDP: only routed; and half as many TCP ones outwards, since
# both ways do not stand still alike.
flows_control() {
  local i
  for i in 1 2 3; do
    flows "$1control4-$i" control tcp paced cl 10.77.0.1$i 80 $(($2 / 3))
    flows "$1control6-$i" control tcp paced cl fd00:77::1$i 80 $(($3 / 3))
    flows "$1controludp-$i" control udp paced cl 10.77.0.1$i 80 $(($4 / 3))
    flows "$1controlout4-$i" control tcp paced rs$i 203.0.113.100 7000 $(($2 / 6)) from=10.77.0.1$i
    flows "$1controlout6-$i" control tcp paced rs$i 2001:db8::100 7000 $(($3 / 6)) \
      from=fd00:77::1$i
  done
  flows "$1controlup" control tcp up cl 10.77.0.12 80 1 "kib_s=$CONTROL_KIB_S"
}

# flows_bulk PREFIX GROUP
flows_bulk() {
  flows "$1up4" synced tcp up cl "${FRONT4[$2]}" 80 2 kib_s=2048
  flows "$1down4" synced tcp down cl "${FRONT4[$2]}" 80 2 kib_s=2048
  flows "$1up6" synced tcp up cl "${FRONT6[$2]}" 80 1 kib_s=2048
  flows "$1down6" synced tcp down cl "${FRONT6[$2]}" 80 1 kib_s=2048
}

# Waits until every living flow has shown life. FLOWS_STAYING: those that a table which knows all has.
settle() {
  say 300 settle "${1:-30}000"
  if [ "$STATUS" = ok ]; then
    FLOWS_STAYING=$ANSWER
  else
    problem "$ANSWER flows made no exchange within ${1:-30} s"
  fi
}

# fault [NS]: what is called next breaks something (or did so at NS). FAULT_NS is its time.
fault() { say 5 "fault ${1:-}" && FAULT_NS=$ANSWER; }

# healed NODE: service is back since the node got the last of $ADDRESSES; notes how long that took.
healed() {
  local node=$1 addr last=0 list='' ms
  for addr in "${ADDRESSES[@]}"; do
    ms=$(((OWNED_NS["$addr"] - FAULT_NS) / 1000000))
    list+="${list:+,}\"$addr\":$ms"
    [ "${OWNED_NS[$addr]}" -gt "$last" ] && last=${OWNED_NS[$addr]}
  done
  say 5 healed "$last"
  TAKEOVER_MS=$(((last - FAULT_NS) / 1000000))
  TAKEOVERS+=("{\"to\":\"$node\",\"takeover_ms\":$TAKEOVER_MS,\"addresses_ms\":{$list}}")
}

traffic_report() {
  local IFS=,
  printf '"takeover_ms":%s,"takeovers":[%s],' "${TAKEOVER_MS:-null}" "${TAKEOVERS[*]}" \
    >>"$WORK/meta"
  printf 'report %s %s %s\n' "$1" "$WORK/meta" "$WORK/problems" >&"$DRIVE_IN"
  read -r -t 20 STATUS ANSWER <&"$DRIVE_OUT" || STATUS=fail
  echo "$STATUS $ANSWER ${TAKEOVER_MS:--}"
}
