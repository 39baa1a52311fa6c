#!/usr/bin/env bash
# run.sh GLOB | --list: runs the scenarios that GLOB (or `all`) names, each in namespaces of its own,
# and closes with a table. Results go to build/drill/NAME.json, of comparison runs (SYNC other than
# syncd) to NAME.SYNC.json, logs to build/drill/log/. Exits with 1 if any failed.
#
# Each scenario runs in a mount and a pid namespace whose first process dies with this script: no
# process, network namespace or file under /run can outlive it, however it ends.
set -u
cd "$(dirname "$0")/../.." || exit 2
export B=${B:-build/release} SYNC=${SYNC:-syncd} IPVS=${IPVS:-auto}
B=$(realpath -m "$B")
export SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
results=build/drill

about() { sed -n '2s/^# //p' "tests/drill/scenario/$1.sh"; }

names() {
  local file name
  for file in tests/drill/scenario/*.sh; do
    name=$(basename "$file" .sh)
    # shellcheck disable=SC2053 # a glob is wanted
    [[ $1 == all || $name == $1 ]] && echo "$name"
  done
}

if [ "${1:-}" = --list ]; then
  for name in $(names all); do printf '%-22s %s\n' "$name" "$(about "$name")"; done
  exit 0
fi
chosen=$(names "${1:-crash}")
[ -n "$chosen" ] || { echo "drill: no scenario is named ${1:-}: see make drill-list" >&2; exit 2; }
[ -f "tests/drill/sync-$SYNC.sh" ] || { echo "drill: SYNC=$SYNC is not known" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "drill: needs root, for network namespaces" >&2; exit 3; }
for tool in keepalived nft ip ping unshare nsenter setpriv; do
  command -v $tool >/dev/null || { echo "drill: $tool is missing: run make deps" >&2; exit 3; }
done

child=
stop() {
  trap - EXIT INT TERM HUP
  # The namespace's first process, so that its parent is there to see the last of it.
  if [ -n "$child" ]; then
    pkill -KILL -P "$child" || kill -KILL "$child"
    wait "$child"
  fi 2>/dev/null
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM HUP

# One row of the table; the fields are those of report.h.
row() { printf '%-20s %-10s %6s %6s %6s %6s %7s %5s %6s %6s %6s %7s %8s %5s  %s\n' "$@"; }

passed=0 bounded=0 failed=0 skipped=0 table=()
for name in $chosen; do
  out=$results/$name.json
  [ "$SYNC" = syncd ] || out=$results/$name.$SYNC.json
  [ "$IPVS" = auto ] || out=$results/$name.$IPVS.json
  work=$results/log/$name.$SYNC
  [ "$IPVS" = auto ] || work=$results/log/$name.$IPVS
  rm -rf "$work" "$out"
  mkdir -p "$work"
  echo "drill: $name with SYNC=$SYNC, seed $SEED: $(about "$name")"
  begin=$SECONDS
  if [[ $name == @(ipvs|guest)-* ]]; then
    setpriv --pdeathsig KILL tests/drill/guest.sh "$name" "$PWD/$work" "$PWD/$out" </dev/null &
  else
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
      tests/drill/one.sh "$name" "$PWD/$work" "$PWD/$out" </dev/null &
  fi
  child=$!
  wait "$child"
  child=
  read -r verdict flows lived resets hangs corrupt moved p50 p99 max cp99 takeover \
    <"$work/line" 2>/dev/null || verdict=fail
  case $verdict in
    pass) passed=$((passed + 1)) ;;
    bounded) verdict="bounded, as declared" bounded=$((bounded + 1)) ;;
    skip) verdict="skipped: $(cat "$work/skipped")" skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  table+=("$(row "$name" "$SYNC" "${flows:--}" "${lived:--}" "${resets:--}" "${hangs:--}" \
    "${corrupt:--}" "${moved:--}" "${p50:--}" "${p99:--}" "${max:--}" "${cp99:--}" \
    "${takeover:--}" $((SECONDS - begin)) "$verdict")")
  [ -s "$work/problems" ] && sed "s/^/drill: $name: /" "$work/problems"
  unset flows lived resets hangs corrupt moved p50 p99 max cp99 takeover
done
row scenario sync flows lived resets hangs corrupt moved p50 p99 max ctl-p99 takeover s result
printf '%s\n' "${table[@]}"
echo "(stalls and takeover in ms; ctl: flows that are only routed)"
[ "$skipped" = 0 ] || echo "$skipped skipped"
# Clients were harmed where nothing can help it, and no more of them than the scenario declares.
[ "$bounded" = 0 ] || echo "$bounded bounded"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ $((passed + bounded)) -gt 0 ]
