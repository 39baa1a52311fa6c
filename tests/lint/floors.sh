#!/bin/sh
# floors.sh: holds the floors of docs/design.md. A file includes its own floor or a lower one, parts
# never include each other, and every include of ours is relative to the root, so that the floor shows
# in the line. Prints each include that breaks this and fails.
set -eu
cd "$(dirname "$0")/../.."

# allowed FILE: an extended regular expression of the includes that FILE may have.
allowed() {
  case $1 in
    proto/*) echo '^(proto/|sync\.pb-c\.h$)' ;;
    syncd/base/*) echo '^(proto|syncd/base)/' ;;
    # Repair compares and walks a table: it is handed one, and knows its public header alone.
    syncd/stream/repair*) echo '^(proto/|syncd/base/|syncd/stream/|syncd/table/table\.h$)' ;;
    syncd/*/*)
      part=${1#syncd/}
      part=${part%%/*}
      echo "^(proto|syncd/base|syncd/$part)/"
      ;;
    syncd/syncctl.c) echo '^(proto/|syncd/base/|syncd/ctl/|syncd/doctor\.h$)' ;;
    syncd/*) echo '^(proto|syncd)/' ;;
    # A rehearsal puts flows into a kernel as the daemon does.
    replay/inject_kernel.c) echo '^(proto/|replay/|syncd/kernel/ct_sink\.h$)' ;;
    replay/inject_node.c) echo '^(proto/|replay/|syncd/(base|net)/|syncd/engine\.h$)' ;;
    replay/inject_source.[ch]) echo '^(proto/|replay/|syncd/engine\.h$)' ;;
    replay/*) echo '^(proto|syncd/table|replay)/' ;;
    tests/*) echo '^(proto|syncd|replay|tests|kpatch/tests|sync\.pb-c)' ;;
    *) echo '^$' ;;
  esac
}

bad=0 files=0
for file in $(find proto syncd replay tests -name '*.[ch]' 2>/dev/null | sort); do
  files=$((files + 1))
  rule=$(allowed "$file")
  lines=$(sed -n 's/^#include "\(.*\)".*/\1/p' "$file" | grep -Ev "$rule" || true)
  for include in $lines; do
    echo "$file: may not include \"$include\" (allowed: $rule)"
    bad=$((bad + 1))
  done
done
echo "floors: $files files, $bad includes across a floor"
[ "$bad" = 0 ] && [ "$files" -gt 0 ]
