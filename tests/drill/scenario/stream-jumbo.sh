# shellcheck shell=bash disable=SC2034
# the sync link carries jumbo frames, and a burst of flows fills them

needs pause
SYNC_MTU=9000
box_settings() { count_long "$1"; }
tracks() { [ "$(in_box "$1" conntrack -C)" -ge "$2" ]; }
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
# What is born while the daemon hangs is there to be sent all at once.
tracked=$(in_box lb-a conntrack -C)
sync_signal lb-a STOP
flows_few burst
until_true 10 "lb-a's kernel to have 100 more flows" tracks lb-a $((tracked + 100))
sync_signal lb-a CONT
steady lb-a lb-b
long=$(counted_long lb-b)
fact long_datagrams "$long"
[ "$long" -gt 0 ] || problem "no datagram of data was longer than 1,500 bytes"
crash lb-a lb-b
