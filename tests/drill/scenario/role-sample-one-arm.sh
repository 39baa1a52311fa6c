# shellcheck shell=bash disable=SC2034
# one-arm.conf and one-arm.nft as shipped: clients and servers on one network, the active one crashes

SAMPLE=one-arm
ADDRESSES=("${FRONT4[web]}")
ruleset() {
  sed '/chain balance/,/^  }/d; /chain gateway/,/^  }/d' tests/drill/balancer.nft
  sed -e "s/^define vip = .*/define vip = ${FRONT4[web]}/" \
    -e 's/^define server_\([12]\) = .*/define server_\1 = 203.0.113.20\1/' dist/keepalived/one-arm.nft
}
balancers_up lb-a lb-b
servers_in_front
flows web4 synced tcp paced cl "${FRONT4[web]}" 80 800
flows up4 synced tcp up cl "${FRONT4[web]}" 80 2 kib_s=2048
flows down4 synced tcp down cl "${FRONT4[web]}" 80 2 kib_s=2048
flows control4 control tcp paced cl 10.77.0.11 80 300
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
