#!/bin/sh
# lengths.sh: files of at most 700 lines (tests 1000), functions of at most 80. Prints what is longer and fails.
# A function is what stands between a line "{" and a line "}".
set -eu
cd "$(dirname "$0")/../.."
# shellcheck disable=SC2016 # $ is awk's
find proto syncd replay tests -name '*.[ch]' 2>/dev/null | sort | xargs awk -v max_file=700 -v max_test=1000 -v max_function=80 '
  function file_ends() {
    limit = name ~ /^tests/ ? max_test : max_file
    if (name != "" && lines > limit) {
      print name ": " lines " lines, at most " limit " are allowed"
      bad++
    }
  }
  FNR == 1 { file_ends(); name = FILENAME; open = 0 }
  { lines = FNR }
  /^\{$/ { open = FNR; head = before }
  /^\}$/ && open {
    length_ = FNR - open - 1
    functions++
    total += length_
    if (length_ > max_function) {
      print name ":" open ": " length_ " lines, at most " max_function " are allowed: " head
      bad++
    }
    open = 0
  }
  { before = $0 }
  END {
    file_ends()
    printf "lengths: %d functions, %.1f lines on average, %d too long\n", functions, functions ? total / functions : 0, bad
    exit bad > 0 || functions == 0
  }'
