# shellcheck shell=bash disable=SC2034
# for SOAK_MINUTES connections come and go and the active fails, in turn by cable, killed daemon and crash

needs gate kill
PREEMPT='preempt_delay 0'
ROUNDS_MIN=6 # each failure twice
FLOWS_SCALE=50
balancers_up lb-a lb-b
flows_usual
flows churn4 synced tcp churn cl "${FRONT4[web]}" 80 100 pace_ms=500
end=$((SECONDS + 60 * ${SOAK_MINUTES:-5}))
for ((round = 1; SECONDS < end || round <= ROUNDS_MIN; round++)); do
  steady lb-a lb-b
  if [ $((round % 3)) = 2 ]; then
    sync_signal lb-a KILL
    settle
    daemon_start lb-a
    steady lb-a lb-b
  fi
  fault
  if [ $((round % 3)) = 0 ]; then power_off lb-a; else cable lb-a front down; fi
  taken_over_by lb-b
  if [ $((round % 3)) = 0 ]; then node_returns lb-a; else cable lb-a front up; fi
  taken_back_by lb-a
  sync_size lb-b >>"$WORK/sizes" # lb-b's daemon lives through it all
done
# Entries of ended connections live two minutes: it is the second half that must not grow. Of the
# descriptors the least counts, since a dump has one of its own while it lasts.
read -r rounds rss_half rss_end fds_half fds_end <<<"$(awk '{ rss[NR] = $1; fds[NR] = $2 } END {
  least[1] = least[2] = fds[NR]
  for (i = 1; i <= NR; i++) { h = 1 + (i > NR / 2); if (fds[i] < least[h]) least[h] = fds[i] }
  print NR, rss[int((NR + 1) / 2)], rss[NR], least[1], least[2] }' "$WORK/sizes")"
# Connections that are being made while keepalived moves the addresses belong to neither node.
say 5 demand "lives_lost=$((20 * rounds))"
fact rounds "$rounds"
fact rss_kib "[$rss_half,$rss_end]"
fact descriptors "[$fds_half,$fds_end]"
[ "$rss_end" -le $((rss_half * 11 / 10 + 1024)) ] ||
  problem "lb-b's daemon grew from $rss_half to $rss_end KiB in the second half"
[ "$fds_end" -le "$fds_half" ] || problem "lb-b's daemon went from $fds_half to $fds_end descriptors"
