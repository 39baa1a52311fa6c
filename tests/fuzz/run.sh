#!/bin/sh
# run.sh SECONDS PROGRAM...: runs each libFuzzer program (build/fuzz/tests/fuzz_NAME) for so long,
# beginning with the committed seeds in tests/fuzz/seeds/NAME and what earlier runs found. A crash
# is kept below build/fuzz/crashes and fails the run; put the input among the seeds with the mend.
set -u
seconds=$1
shift
failed=0
for prog; do
  name=$(basename "$prog")
  name=${name#fuzz_}
  seeds=tests/fuzz/seeds/$name
  corpus=build/fuzz/corpus/$name
  crashes=build/fuzz/crashes
  log=build/fuzz/$name.log
  mkdir -p "$corpus" $crashes
  if [ ! -d "$seeds" ]; then
    echo "$name: no seeds in $seeds" >&2
    failed=$((failed + 1))
    continue
  fi
  if "$prog" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$crashes/$name-" "$corpus" "$seeds" >"$log" 2>&1 </dev/null; then
    verdict=ok
  else
    verdict="FAILED, see $log"
    failed=$((failed + 1))
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  printf '%-12s %10s runs %6s edges  %s\n' "$name" "${runs:-?}" "${cover:-?}" "$verdict"
done
[ "$failed" = 0 ]
