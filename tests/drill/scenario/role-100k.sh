# shellcheck shell=bash disable=SC2034
# a crash with 100,000 flows in the table, of which 5,000 are live with data

balancers_up lb-a lb-b
FLOWS_SCALE=250
FLOWS_PACE_MS=2000 # two cores
flows_usual
flows parked4 synced tcp park cl "${FRONT4[web]}" 80 95000 rate=8000 from=203.0.113.101 sources=4
steady lb-a lb-b
fact tracked_before "$(in_box lb-a conntrack -C)"
say 5 demand excess_ms=50
# With 200 ms and more without service some connections of either kind meet TCP's second
# retransmission: whether they are the last hundredth is luck, unless they are many more.
say 5 demand excess_chance=0.05
fault
power_off lb-a
taken_over_by lb-b
tracked=$(in_box lb-b conntrack -C)
fact tracked "$tracked"
[ "$tracked" -ge 100000 ] || problem "lb-b tracks $tracked flows only"
