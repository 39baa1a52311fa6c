# shellcheck shell=bash disable=SC2034
# a crash with journals on: both verify, and their diff at the crash names the flows that were lost

needs journal
JOURNAL=yes
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
fault
crash_at=$(date +%s.%N)
power_off lb-a
taken_over_by lb-b
until_true 10 "lb-b's journal to tell of its takeover" journal_says lb-b '"to":"active"'
for node in lb-a lb-b; do
  replay "verify-$node" verify "$WORK/$node/journal" ||
    problem "verify of $node: $(head -n 1 "$WORK/verify-$node")"
done
# As each was when lb-a had written its last, and lb-b had not yet taken over.
replay diff diff "$WORK/lb-a/journal" "$WORK/lb-b/journal" "@$crash_at"
lost=$(grep -c '^only lb-a:' "$WORK/diff")
say 10 report "$WORK/early.json" "$WORK/meta" "$WORK/problems"
read -r _ _ resets hangs _ <<<"$ANSWER"
fact journal_lost "$lost"
fact journal_diff "\"$(tail -n 1 "$WORK/diff")\""
[ "$lost" = $((resets + hangs)) ] ||
  problem "the journals say that $lost flows were lost, the clients $((resets + hangs))"
! grep -q 'NOT EXACT' "$WORK/diff" || problem "$(tail -n 1 "$WORK/diff")"
# On a desk: all that lb-a had, into a kernel that has nothing.
replay rehearsal inject --dry-run --topspeed --from "@$crash_at" --until "@$crash_at" \
  "$WORK/lb-a/journal" || problem "the rehearsal: $(tail -n 1 "$WORK/rehearsal")"
fact rehearsal "\"$(tail -n 1 "$WORK/rehearsal")\""
# And the takeover again, on a desk: all that lb-a had, by way of the stream, to a daemon that is then
# promoted. Its kernel must hold just that.
desk_up lb-b
desk_ctl role web standby
replay at at --until "@$crash_at" "@$crash_at" "$WORK/lb-a/journal"
held=$(grep -c '>' "$WORK/at")
ip netns exec desk-a "$B/sync-replay" inject --topspeed -k "$WORK/1.key" --into "$WORK/desk-a/syncd.conf" \
  --from "@$crash_at" --until "@$crash_at" "$WORK/lb-a/journal" >"$WORK/desk" 2>&1 ||
  problem "the desk: $(tail -n 1 "$WORK/desk")"
fact desk "\"$(tail -n 1 "$WORK/desk")\""
desk_ctl role web active
until_true 20 "the desk to have compared its kernel" desk_complete
desk=$(desk_flows)
fact desk_flows "$desk"
if [ "$held" = 0 ] || [ "$desk" != "$held" ]; then
  problem "lb-a held $held flows at the crash, the desk's kernel has $desk after its takeover"
fi
replay report report -o "$WORK/report.html" "$WORK/lb-a/journal" "$WORK/lb-b/journal" ||
  problem "no report: $(head -n 1 "$WORK/report")"
grep -q '"from":"standby","to":"active"' "$WORK/report.html" || problem "the report does not show the takeover"
