#!/bin/sh
# run.sh CHECK...: runs each lint and says how it went; one whose tool is missing is skipped with a
# line that says so. Output of a lint is shown only where it fails.
set -u
cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# lint NAME TOOL COMMAND...
lint() {
  name=$1 tool=$2
  shift 2
  if ! command -v "$tool" >/dev/null; then
    printf '%-14s skipped: %s is not installed (make deps-dev)\n' "$name" "$tool"
    return
  fi
  start=$(date +%s)
  if "$@" >"$log" 2>&1; then
    printf '%-14s ok      %3d s\n' "$name" $(($(date +%s) - start))
    grep -c '^not looked at in time' "$log" |
      sed -n '/^0$/!s/$/ files were left to the next run (LINT_SECONDS=0: no bound)/p'
  else
    printf '%-14s FAILED  %3d s\n' "$name" $(($(date +%s) - start))
    sed 's/^/    /' "$log" | head -60
    failed=1
  fi
}

scripts() {
  {
    git ls-files '*.sh' .ci/run
    git ls-files | grep -v '\.' | xargs -r grep -lE '^#!/(usr/)?bin/(env )?(ba|da)?sh' 2>/dev/null
  } | sort -u | xargs -r grep -lE '^#!.*sh$|^# shellcheck shell='
}

run_shellcheck() { scripts | xargs -r shellcheck -x; }

run_cppcheck() {
  cppcheck -q -j2 --std=c11 --language=c -I. --inline-suppr --error-exitcode=1 \
    --enable=warning,portability --suppress=missingInclude --suppress=missingIncludeSystem \
    '--suppress=*:build/*' --suppress=unknownMacro --suppress=nullPointerOutOfMemory \
    --suppress=shiftTooManyBitsSigned proto syncd \
    $([ -d replay ] && echo replay)
}

# Whether FILE, or any header, is newer than the last time it passed.
is_due() {
  stamp=build/lint/$1.tidy
  [ ! -e "$stamp" ] || [ "$1" -nt "$stamp" ] || [ .clang-tidy -nt "$stamp" ] ||
    [ -n "$(find proto syncd replay -name '*.h' -newer "$stamp" 2>/dev/null | head -1)" ]
}

# clang's analyzer takes seconds a file: what has passed is not looked at again before it or a header
# changes, and what does not fit into LINT_SECONDS (0: no bound) is left to the next run, and said.
run_clang_tidy() {
  budget=${LINT_SECONDS:-140}
  make -s compile_commands.json || return 1
  # shellcheck disable=SC2012 # newest first, and our own file names are plain
  files=$(find proto syncd replay -name '*.c' ! -name '*.bpf.c' -print0 2>/dev/null | xargs -0 ls -t)
  due=
  for file in $files; do
    if is_due "$file"; then due="$due $file"; fi
  done
  end=$(($(date +%s) + budget))
  # shellcheck disable=SC2086,SC2016 # words of $due are files; the inner script is sh's
  printf '%s\n' $due | xargs -r -n 1 -P "$(nproc)" sh -c '
    if [ '"$budget"' != 0 ] && [ "$(date +%s)" -ge '"$end"' ]; then
      echo "not looked at in time: $1"
      exit 0
    fi
    clang-tidy --quiet -p . "$1" 2>/dev/null || exit 1
    mkdir -p "build/lint/${1%/*}" && touch "build/lint/$1.tidy"' -
}

for check; do
  case $check in
    floors) lint floors awk tests/lint/floors.sh ;;
    lengths) lint lengths awk tests/lint/lengths.sh ;;
    format) lint clang-format clang-format tests/lint/format.sh ;;
    shell) lint shellcheck shellcheck run_shellcheck ;;
    cppcheck) lint cppcheck cppcheck run_cppcheck ;;
    tidy) lint clang-tidy clang-tidy run_clang_tidy ;;
    *)
      echo "run.sh: no lint is called $check" >&2
      exit 2
      ;;
  esac
done
exit $failed
