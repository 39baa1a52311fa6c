#!/usr/bin/env bash
# bench_ipvs.sh: what IPVS's back ends do and cost in Debian's kernel (docs/ipvs.md): instructions of a
# packet and of a connection without syncd and while each source listens, and insertion, dump and lag of
# each back end beside a bare loop. The guest's clock counts instructions, a nanosecond each, so the
# figures are the same on a busy machine. netlink is with the patched ip_vs (make -C kpatch RIG=1).
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build/release}
patched=build/kpatch/qemu/modules

# in_guest PROGRAM BACKEND
in_guest() {
  local modules=()
  if [ "$2" = netlink ]; then
    [ -e $patched/ip_vs.ko ] || { echo "no patched ip_vs for qemu: make -C kpatch RIG=1"; return; }
    modules=(-x "$patched")
  fi
  # shellcheck disable=SC2016 # the guest's shell expands it
  tests/rig/guest -k qemu -i -t 570 -a no_timer_check "${modules[@]}" -- sh -c \
    'modprobe -a ip_vs ip_vs_rr veth dummy && exec "$@"' sh "$B/bench/$1" "$2"
  [ $? != 126 ] || { echo "no qemu guest: make rig-qemu"; exit 0; }
}

for source in none bpf kernel-sync netlink; do
  in_guest ipvs_packets $source
done
for backend in netlink bpf kernel-sync; do
  in_guest ipvs_edges $backend
done
