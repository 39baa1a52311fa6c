#!/usr/bin/env bash
# guest.sh NAME WORKDIR OUT: runs one IPVS scenario in a guest kernel (tests/rig/), or here where this
# kernel has IPVS. DRILL_KERNEL chooses the guest: qemu, Debian's own kernel, unless said otherwise.
# With IPVS=netlink the patched ip_vs (make -C kpatch RIG=1) takes the place of the kernel's.
#
# In QEMU the guest's clock counts instructions, a thousand million a second, on one processor, and
# skips what it idles: what clients see does not depend on what else the host does, and a drill that
# mostly waits takes less than its time. DRILL_CLOCK=host gives it two processors and the host's clock.
# Started by run.sh; the scenario's own namespaces are one.sh's, as anywhere.
set -u
name=$1 work=$2 out=$3
cd "$(dirname "$0")/../.." || exit 2
kind=${DRILL_KERNEL:-qemu}
guest=$work/guest
seconds=${DRILL_SECONDS:-600}
options=()

give_up() {
  echo "$1" >"$work/skipped"
  echo skip >"$work/line"
  exit 0
}

if [ "$IPVS" = netlink ]; then
  modules=build/kpatch/$kind/modules
  [ -e "$modules/ip_vs.ko" ] || give_up "no patched ip_vs for $kind: make -C kpatch RIG=1"
  options=(-x "$modules")
fi
case $kind in
  qemu*)
    options+=(-a no_timer_check) # a busy host keeps QEMU's timer from ticking in time
    [ "${DRILL_CLOCK:-instructions}" = host ] || options+=(-i)
    ;;
esac
mkdir -p "$guest"
tests/rig/guest -k "$kind" -t "$seconds" -m "${DRILL_MEM:-1500M}" -o "$guest" "${options[@]}" -- \
  env "DRILL_SECONDS=$seconds" "B=$B" "SYNC=$SYNC" "IPVS=$IPVS" "SEED=$SEED" "FLOWS_SCALE=${FLOWS_SCALE:-100}" \
  "DRILL_TRACE=${DRILL_TRACE:-}" \
  tests/drill/in-guest.sh "$name" "$guest" >"$work/console" 2>&1
rc=$?
cp -r "$guest"/work/. "$work"/ 2>/dev/null
cp "$guest/result.json" "$out" 2>/dev/null
[ "$rc" != 126 ] || give_up "no $kind guest: tests/rig/prepare $kind"
[ "$rc" = 0 ] || echo "the guest ended with $rc: see $work/console" >>"$work/problems"
[ -s "$work/line" ] || echo fail >"$work/line"
