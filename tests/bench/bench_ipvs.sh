#!/usr/bin/env bash
# bench_ipvs.sh: instructions that a packet and a connection through IPVS take in Debian's kernel,
# without syncd and while each source of a stock kernel listens (docs/ipvs.md). The guest's clock
# counts them, so they are the same on a busy machine.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build/release}
for source in none bpf kernel-sync; do
  # shellcheck disable=SC2016 # the guest's shell expands it
  tests/rig/guest -k qemu -i -t 300 -a no_timer_check -- sh -c \
    'modprobe -a ip_vs ip_vs_rr veth dummy && exec "$@"' sh "$B/bench/ipvs_packets" "$source"
  [ $? != 126 ] || { echo "no qemu guest: make rig-qemu"; exit 0; }
done
