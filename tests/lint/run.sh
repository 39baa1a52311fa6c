#!/usr/bin/env bash
# shellcheck disable=SC2317,SC2016 # the checks are called through lint(); sh -c expands its own
# run.sh CHECK...: runs each lint and says how it went; one whose tool is missing is skipped with a
# line that says so. Output of a lint is shown only where it fails.
set -u
cd "$(dirname "$0")/../.." || exit 1
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
  local dirs=(proto syncd)
  [ ! -d replay ] || dirs+=(replay)
  cppcheck -q -j2 --std=c11 --language=c -I. --inline-suppr --error-exitcode=1 \
    --enable=warning,portability --suppress=missingInclude --suppress=missingIncludeSystem \
    '--suppress=*:build/*' --suppress=unknownMacro --suppress=nullPointerOutOfMemory \
    --suppress=shiftTooManyBitsSigned "${dirs[@]}"
}

# gcc's own analyzer, by the flags of compile_commands.json. Its leak check loses an owner where a
# structure is copied, and leaks are for the sanitizer run; it does not know vectors (digest_many.c,
# digest_avx512.c).
run_analyzer() {
  make -s compile_commands.json || return 1
  jq -r '.[] | select(.file | test("^(proto|syncd|replay)/(?!digest_(many|avx512))")) | .arguments | .[1:] | map(@sh) |
    join(" ")' compile_commands.json | tr '\n' '\0' |
    xargs -0 -r -n 1 -P "$(nproc)" \
      sh -c 'eval "exec gcc -fanalyzer -Wno-analyzer-malloc-leak -Werror $1 -o /dev/null"' sh
}

for check; do
  case $check in
    floors) lint floors awk tests/lint/floors.sh ;;
    lengths) lint lengths awk tests/lint/lengths.sh ;;
    format) lint clang-format clang-format tests/lint/format.sh ;;
    shell) lint shellcheck shellcheck run_shellcheck ;;
    cppcheck) lint cppcheck cppcheck run_cppcheck ;;
    analyzer) lint analyzer jq run_analyzer ;;
    tidy) lint clang-tidy clang-tidy tests/lint/tidy.sh ;;
    *)
      echo "run.sh: no lint is called $check" >&2
      exit 2
      ;;
  esac
done
exit $failed
