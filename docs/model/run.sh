#!/bin/sh
# run.sh DIR: checks docs/model/syncd.pml with spin(1), building in DIR. Each line is one set of
# budgets, searched to the end; those that break a rule on purpose must fail, or the assertions hold
# nothing. "deep" has all budgets at once, and is searched by bit state for a while.
set -u
model=$(cd "$(dirname "$0")" && pwd)/syncd.pml
mkdir -p "$1" && cd "$1" || exit 1
passed=0 failed=0 limit=300

# build "SPIN OPTIONS" "CC OPTIONS"
build() {
  # shellcheck disable=SC2086
  spin -a $1 "$model" >spin.log 2>&1 && ${CC:-cc} -w -O2 $2 -o pan pan.c >cc.log 2>&1
}

# check NAME EXPECTED-ERRORS "SPIN OPTIONS" "CC OPTIONS" "PAN OPTIONS"
check() {
  rm -f ./*.trail
  if ! build "$3" "$4"; then
    cat spin.log cc.log
    failed=$((failed + 1))
    return
  fi
  # shellcheck disable=SC2086
  timeout "$limit" ./pan -m400000 $5 >"$1.log" 2>&1
  rc=$?
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$1.log" | tail -1)
  states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$1.log" | tail -1)
  # Bit state is a search for a while: no verdict within its time is what is expected of it.
  if [ "$rc" = 124 ] && [ "$1" = deep ]; then
    errors=0
    states=$(sed -n 's/.*States= *\([0-9.e+]*\) .*/\1/p' "$1.log" | tail -1)
  fi
  if [ "${errors:-none}" = "$2" ]; then
    passed=$((passed + 1)) verdict=good
  else
    failed=$((failed + 1)) verdict=BAD
    tail -5 "$1.log"
  fi
  printf '%-14s %9s states, errors %s (expected %s): %s\n' "$1" "$states" "${errors:-none}" "$2" "$verdict"
}

none="-DMOVES=0 -DRESTARTS=0 -DCUTS=0 -DLOSSES=0 -DOVERRUNS=0"
only() { # only CHANGES FLOWS [-DBUDGET=N]...: all other budgets are 0
  opts="-DCHANGES=$1 -DFLOWS=$2"
  shift 2
  for b in $none; do
    name=${b%=*}
    case " $* " in *" $name="*) ;; *) opts="$opts $b" ;; esac
  done
  echo "$opts $*"
}
safe="-DSAFETY -DCOLLAPSE"

check moves 0 "$(only 2 1 -DMOVES=1)" "$safe" ""
check cuts 0 "$(only 2 1 -DCUTS=2 -DLOSSES=1 -DOVERRUNS=1)" "$safe" ""
check restarts 0 "$(only 2 2 -DRESTARTS=1 -DLOSSES=1)" "$safe" ""
check overruns 0 "$(only 3 2 -DOVERRUNS=1 -DLOSSES=1)" "$safe" ""
check no-cycle 0 "$(only 1 1 -DLOSSES=1 -DOVERRUNS=1)" "-DNP" "-l"
check broken-range 1 "-DBREAK_COMPLETE $(only 2 2 -DRESTARTS=1)" "$safe" ""
check broken-term 1 "-DBREAK_TERM $(only 2 1 -DMOVES=1)" "$safe" ""
check broken-dump 1 "-DBREAK_TOUCHED $(only 2 1 -DOVERRUNS=1)" "$safe" ""
check broken-gap 1 "-DBREAK_GAP $(only 2 1 -DLOSSES=1)" "$safe" ""
limit=45
[ "${QUICK:-0}" = 1 ] || check deep 0 "" "-DSAFETY -DBITSTATE" "-w28"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
