#!/usr/bin/env bash
# tidy.sh: clang-tidy on each C file. Its analyzer takes seconds a file, so what has passed is not
# looked at again before it, a header or .clang-tidy changes, and what does not fit into LINT_SECONDS
# (default 100; 0: no bound) is left to the next run, and said.
set -u
cd "$(dirname "$0")/../.." || exit 1
budget=${LINT_SECONDS:-100}
[ "${1:-}" = one ] || make -s compile_commands.json || exit 1

if [ "${1:-}" = one ]; then # called by xargs below: one END FILE
  if [ "$budget" != 0 ] && [ "$(date +%s)" -ge "$2" ]; then
    echo "not looked at in time: $3"
    exit 0
  fi
  clang-tidy --quiet -p . "$3" 2>/dev/null || exit 1
  mkdir -p "build/lint/${3%/*}" && touch "build/lint/$3.tidy"
  exit
fi

newest=$(find proto syncd replay .clang-tidy \( -name '*.h' -o -name .clang-tidy \) -printf '%T@ %p\n' 2>/dev/null |
  sort -n | tail -1)
newest=${newest#* }
is_due() {
  local stamp=build/lint/$1.tidy
  [ ! -e "$stamp" ] || [ "$1" -nt "$stamp" ] || [ "$newest" -nt "$stamp" ]
}

find proto syncd replay -name '*.c' ! -name '*.bpf.c' -printf '%T@ %p\n' 2>/dev/null | sort -rn |
  while read -r _ file; do
    if is_due "$file"; then echo "$file"; fi
  done |
  xargs -r -n 1 -P "$(nproc)" "$0" one $(($(date +%s) + budget))
