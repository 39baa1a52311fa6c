#!/usr/bin/env bash
# in-guest.sh NAME DIR: loads what an IPVS scenario needs and runs it; all it leaves goes to DIR. Works
# in memory, since the guest's view of the host's files is slow and knows no fifos.
set -u
name=$1 dir=$2
modprobe -a ip_vs ip_vs_rr ip_vs_wlc nf_conntrack nf_conntrack_netlink nft_ct nf_nat veth bridge \
  dummy ipip || exit 1
case $name in
  *flowtable*) modprobe -a nft_hash nft_masq nft_flow_offload nf_flow_table_inet || exit 1 ;;
esac
sysctl -q -w net.core.rmem_max=16777216
export B SYNC IPVS SEED
work=$(mktemp -d /tmp/drill.XXXXXX)
unshare --mount --pid --fork --kill-child --mount-proc \
  tests/drill/one.sh "$name" "$work" "$work/result.json" &
child=$!
# Ends before the guest is ended, so that the logs come out; and on its last word, for a pid namespace in
# which a BPF trampoline's owner was killed with the first process ends late, or never (docs/ipvs.md).
end=$((SECONDS + DRILL_SECONDS - 20))
while kill -0 $child 2>/dev/null && [ "$SECONDS" -lt $end ] && [ ! -s "$work/line" ]; do
  sleep 0.2
  # Of a guest that will be killed, too; seldom, for it costs more than an idle drill does.
  if [ -n "${DRILL_TRACE:-}" ] && [ $((SECONDS / 10)) != "${copied:-}" ]; then
    copied=$((SECONDS / 10))
    cp "$work/log" "$dir/log"
  fi
done
rc=0
if [ -s "$work/line" ]; then
  for _ in 1 2 3 4 5; do kill -0 $child 2>/dev/null && sleep 0.2; done
else
  rc=1
fi
mv "$work/result.json" "$dir/" 2>/dev/null
mkdir -p "$dir/work"
find "$work" -type p -delete
cp -r "$work"/. "$dir/work/"
exit $rc
