#!/bin/sh
# run.sh PROGRAM...: runs the benches in turn, shows their figures and appends them to
# build/bench.jsonl. A bench prints one line of JSON a figure, {"name":…,"value":…,"unit":…} and
# what bench.h adds; here it gets "run" and "commit". T is a glob over the names.
set -eu
out=${BENCH_OUT:-build/bench.jsonl}
run=$(date -u +%Y-%m-%dT%H:%M:%SZ)
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$(dirname "$out")"
ran=0 failed=0
for prog; do
  name=$(basename "$prog" .sh)
  name=${name#bench_}
  # shellcheck disable=SC2254
  case $name in
    ${T:-*}) ;;
    *) continue ;;
  esac
  ran=$((ran + 1))
  echo "== $name"
  "$prog" >"$lines" || { echo "bench: $name failed" >&2; failed=$((failed + 1)); }
  sed -n "s/^\({.*\)}\$/\1,\"run\":\"$run\",\"commit\":\"$commit\"}/p" "$lines" >>"$out"
  sed -n 's/^{"name":"\([^"]*\)","value":\([^,]*\),"unit":"\([^"]*\)".*/\1 \2 \3/p' "$lines" |
    awk '{n = $1; v = $2; $1 = $2 = ""; printf "%-40s %14s%s\n", n, v, $0}'
  sed '/^{/d' "$lines"
done
[ "$ran" -gt 0 ] || { echo "bench: none is named '${T:-*}'" >&2; exit 2; }
echo "appended to $out, run $run"
[ "$failed" = 0 ]
