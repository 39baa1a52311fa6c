#!/bin/sh
# format.sh: clang-format would change nothing.
set -eu
cd "$(dirname "$0")/../.."
find proto syncd replay tests -name '*.[ch]' 2>/dev/null | sort |
  xargs clang-format --dry-run -Werror
