#!/bin/sh
# run-checks.sh PROGRAM...: runs each test program in turn, shows its output only when it fails,
# and closes with one line of totals over all of them. What a program skips (lines of SKIP) is shown.
# A program that neither runs nor skips a test is a failure.
set -u
export CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-60}" # seconds a case, for a busy machine
passed=0 failed=0 programs=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for prog; do
  programs=$((programs + 1))
  start=$(date +%s%N)
  "$prog" >"$log" 2>&1 </dev/null
  rc=$?
  ms=$((($(date +%s%N) - start) / 1000000))
  # Check's own summary: "100%: Checks: 12, Failures: 0, Errors: 0"
  sums=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$log" |
    awk '{c+=$1; f+=$2+$3} END {print c+0, f+0}')
  checks=${sums% *} bad=${sums#* }
  if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  if [ "$checks" = 0 ] && [ "$bad" = 0 ] && ! grep -q '^SKIP' "$log"; then
    bad=1
    echo "no test was run" >>"$log"
  fi
  good=$((checks > bad ? checks - bad : 0))
  passed=$((passed + good)) failed=$((failed + bad))
  printf '%-34s %4d passed %3d failed %7d ms\n' "$(basename "$prog")" "$good" "$bad" "$ms"
  if [ "$bad" != 0 ]; then sed 's/^/    /' "$log"; else sed -n 's/^SKIP/    &/p' "$log"; fi
done
echo "$programs programs"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
