# shellcheck shell=bash disable=SC2034
# short timeouts: flows that are kept alive on the active one outlive them on the standby

box_settings() {
  ip netns exec "$1" sysctl -q -w net.netfilter.nf_conntrack_tcp_timeout_established=3 \
    net.netfilter.nf_conntrack_udp_timeout=2 net.netfilter.nf_conntrack_udp_timeout_stream=2
}
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
for _ in {1..12}; do settle; done
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
