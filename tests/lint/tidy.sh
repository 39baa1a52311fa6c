#!/usr/bin/env bash
# tidy.sh: clang-tidy on each C file (two minutes on two cores). What has passed is not looked at
# again before it, a header or .clang-tidy changes.
set -u
cd "$(dirname "$0")/../.." || exit 1

if [ "${1:-}" = one ]; then # called by xargs below: one FILE
  clang-tidy --quiet -p . "$2" 2>/dev/null || exit 1
  mkdir -p "build/lint/${2%/*}" && touch "build/lint/$2.tidy"
  exit
fi

make -s compile_commands.json || exit 1
newest=$(find proto syncd replay .clang-tidy \( -name '*.h' -o -name .clang-tidy \) -printf '%T@ %p\n' |
  sort -n | tail -1)
newest=${newest#* }
is_due() {
  local stamp=build/lint/$1.tidy
  [ ! -e "$stamp" ] || [ "$1" -nt "$stamp" ] || [ "$newest" -nt "$stamp" ]
}

find proto syncd replay -name '*.c' ! -name '*.bpf.c' | sort |
  while read -r file; do
    if is_due "$file"; then echo "$file"; fi
  done |
  xargs -r -n 1 -P "$(nproc)" "$0" one
