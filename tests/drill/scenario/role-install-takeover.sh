# shellcheck shell=bash disable=SC2034
# install = takeover: a crash with 20,000 flows that the successor's kernel gets only then, guarded

needs guard
SYNC_GROUP='install = takeover'
balancers_up lb-a lb-b
flows_usual
flows parked4 synced tcp park cl "${FRONT4[web]}" 80 20000 rate=5000 from=203.0.113.101 sources=4
steady lb-a lb-b
tracked=$(in_box lb-b conntrack -C)
[ "$tracked" -lt 100 ] || problem "lb-b's kernel tracked $tracked flows before the takeover"
# What comes between the address and the guard may meet another server, and UDP has no second try.
say 5 demand udp_moved=20
fault
power_off lb-a
taken_over_by lb-b
tracked=$(in_box lb-b conntrack -C)
fact tracked "$tracked"
[ "$tracked" -ge 20000 ] || problem "lb-b tracks $tracked flows only"
guard_was_up lb-b || problem "there was no guard while the flows were committed"
until_true 10 "the guard to go" lacks_guard lb-b
