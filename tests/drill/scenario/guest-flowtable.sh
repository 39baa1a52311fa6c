# shellcheck shell=bash disable=SC2034
# connections offloaded to a flowtable, in a guest kernel that has them: the active one loses its power

ADVERT_MS=1000 # guests are slow, and share the machine with others
GATEWAY_S=10
PATIENCE=6
SYNC_CONF='conntrack { protocols = { tcp, udp } reconcile_s = 5 }'
eval "site_$(declare -f ruleset)"
ruleset() {
  site_ruleset "$1"
  cat <<END
table inet fast {
  flowtable ft {
    hook ingress priority 0
    devices = { front, back }
  }
  chain forward {
    type filter hook forward priority filter + 10
    ct state established meta l4proto { tcp, udp } flow add @ft
  }
}
END
}
offloaded() { in_box "$1" conntrack -L 2>/dev/null | grep -c OFFLOAD; }

balancers_up lb-a lb-b
flows web4 synced tcp paced cl "${FRONT4[web]}" 80 60 pace_ms=500
flows web6 synced tcp paced cl "${FRONT6[web]}" 80 20 pace_ms=500
flows snat4 synced tcp paced rs1 203.0.113.100 7000 20 pace_ms=500
flows udp4 synced udp paced cl "${FRONT4[web]}" 80 20 pace_ms=500
flows up4 synced tcp up cl "${FRONT4[web]}" 80 1 kib_s=256
flows control4 control tcp paced cl 10.77.0.13 80 20
steady lb-a lb-b
n=$(offloaded lb-a)
fact offloaded "$n"
[ "$n" -ge 100 ] || problem "$n flows were offloaded only"
# Past a reconcile, which must not take what it sees no more events of for gone.
for _ in {1..8}; do settle; done
steady lb-a lb-b
grep -q 'flowtables (inet fast ft)' "$WORK/lb-a/syncd.log" || problem "the flowtable is not named"
fault
power_off lb-a
taken_over_by lb-b
n=$(offloaded lb-b)
fact offloaded_then "$n"
[ "$n" -ge 100 ] || problem "lb-b offloads $n flows only"
