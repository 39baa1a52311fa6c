# shellcheck shell=bash disable=SC2034
# of two sync links that carry everything first one fails, then the other

needs links
SYNC_LINKS=2
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
for node in lb-a lb-b; do cable $node sync down; done
flows_few second
steady lb-a lb-b
for node in lb-a lb-b; do cable $node sync up; done
for node in lb-a lb-b; do cable $node sync2 down; done
flows_few third
steady lb-a lb-b
for node in lb-a lb-b; do
  ! node_ctl $node -j status | grep -q '"degraded": [1-9]' || problem "the stream to $node had a gap"
done
fault
power_off lb-a
taken_over_by lb-b
