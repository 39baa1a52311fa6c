#!/bin/sh
# coverage.sh BUILD: lines executed by the unit tests, a line a file of ours and the total, from the
# log that `make cov` had gcov write.
set -eu
awk '
  /^File / { file = $2; gsub(/'"'"'/, "", file) }
  /^Lines executed:/ {
    split($0, a, /[:% ]+/)
    if (file !~ /^\// && file !~ /^(tests|build)\// && !(file in seen)) {
      seen[file] = 1
      printf "%6.1f%% of %5d  %s\n", a[3], a[5], file
      lines += a[5]
      hit += a[3] * a[5] / 100
    }
    file = "/"
  }
  END {
    if (!lines) { print "coverage: nothing was measured"; exit 1 }
    printf "%6.1f%% of %5d  total\n", 100 * hit / lines, lines
  }' "$1/gcov.log" | sort -k4
