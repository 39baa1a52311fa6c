#!/usr/bin/env bash
# one.sh NAME WORKDIR OUT: runs one scenario. Started by run.sh as the first process of a mount and
# a pid namespace, so that everything begun here ends with it.
set -u
NAME=$1 WORK=$2 OUT=$3
cd "$(dirname "$0")/../.." || exit 2
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/netns
: >"$WORK/problems"
: >"$WORK/meta"
exec 2>>"$WORK/log"
# DRILL_TRACE=1: each command with the second at which it began, in the scenario's log.
[ -z "${DRILL_TRACE:-}" ] || { PS4='+$EPOCHREALTIME ' && set -x; }

# problem TEXT: the scenario goes on, and has failed.
problem() { echo "$*" >>"$WORK/problems"; }

# fact NAME JSON: a member of the result.
fact() { printf '"%s":%s,\n' "$1" "$2" >>"$WORK/meta"; }

# die TEXT: the scenario cannot go on.
die() { problem "$*"; finish; exit 1; }

# skip TEXT: the scenario does not apply.
skip() {
  echo "$*" >"$WORK/skipped"
  echo skip >"$WORK/line"
  exit 0
}

# until_true SECONDS WHAT COMMAND...: waits for the condition.
PATIENCE=1 # what all waits are multiplied by, in slow guests
until_true() {
  local end=$((SECONDS + $1 * PATIENCE)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "waited in vain: $what"
    sleep 0.02
  done
}

finish() {
  [ -z "${DRILL_TRACE:-}" ] || grep '^cpu ' /proc/stat >&2
  traffic_report "$OUT" >"$WORK/line"
}

# shellcheck source=tests/drill/site.sh
. tests/drill/site.sh
# shellcheck source=tests/drill/traffic.sh
. tests/drill/traffic.sh
# shellcheck source=tests/drill/keepalived.sh
. tests/drill/keepalived.sh
# shellcheck source=tests/drill/acts.sh
. tests/drill/acts.sh
# shellcheck source=tests/drill/ipvs.sh
case $NAME in ipvs-*) . tests/drill/ipvs.sh ;; esac
# shellcheck source=/dev/null
. "tests/drill/sync-$SYNC.sh" || exit 2

fact name "\"$NAME\""
fact sync "\"$SYNC\""
fact ipvs "\"$IPVS\""
fact kernel "\"$(uname -r)\""
fact seed "$SEED"
fact commit "\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\""

traffic_init
# shellcheck source=/dev/null
. "tests/drill/scenario/$NAME.sh"
finish
