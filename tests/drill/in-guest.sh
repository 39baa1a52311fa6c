#!/usr/bin/env bash
# in-guest.sh NAME DIR: loads what an IPVS scenario needs and runs it; all it leaves goes to DIR. Works
# in memory, since the guest's view of the host's files is slow and knows no fifos.
set -u
name=$1 dir=$2
modprobe -a ip_vs ip_vs_rr ip_vs_wlc nf_conntrack nf_conntrack_netlink nft_ct nf_nat veth bridge \
  dummy ipip || exit 1
sysctl -q -w net.core.rmem_max=16777216
export B SYNC IPVS SEED
work=$(mktemp -d /tmp/drill.XXXXXX)
unshare --mount --pid --fork --kill-child --mount-proc \
  tests/drill/one.sh "$name" "$work" "$work/result.json"
rc=$?
mv "$work/result.json" "$dir/" 2>/dev/null
mkdir -p "$dir/work"
find "$work" -type p -delete
cp -r "$work"/. "$dir/work/"
exit $rc
