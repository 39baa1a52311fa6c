#!/bin/bash
# test_contract.sh [KIND...]: that `guest` keeps its word with each kind of kernel (default: uml, custom, qemu).
# A kind that is not in the cache is left out, and said so. Ends with Check's line of totals.
set -u
rig=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/rig/common.sh
. "$rig/common.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checks=0 failures=0

# expect NAME WANTED GOT
expect() {
	checks=$((checks + 1))
	if [ "$2" != "$3" ]; then
		failures=$((failures + 1))
		printf '%s: %s: expected "%s", got "%s"\n' "$kind" "$1" "$2" "$3"
	fi
}

run() {
	"$rig/guest" -k "$kind" "$@" >"$scratch/stdout" 2>"$scratch/stderr"
	status=$?
}

test_command() {
	local witness=$scratch/witness
	echo before >"$witness"
	# shellcheck disable=SC2016
	run -o "$scratch/out" -- sh -c '
		echo "to stdout"; echo "to stderr" >&2
		pwd; echo after >"$1"; cat "$1"
		echo kept >"$OUT/kept"
		modprobe ip_vs && test -e /proc/net/ip_vs && echo ipvs
		ip -o link show up | wc -l
		printf "%s|" "$2" "$3"
		exit 7' sh "$witness" 'two words' "a'quote"
	expect status 7 "$status"
	expect stdout "to stdout|$PWD|after|ipvs|1|two words|a'quote|" "$(tr '\n' '|' <"$scratch/stdout")"
	expect stderr "to stderr" "$(cat "$scratch/stderr")"
	expect "a change to the host's files" before "$(cat "$witness")"
	expect "a file in the output folder" kept "$(cat "$scratch/out/kept")"
}

test_signal() {
	# shellcheck disable=SC2016
	run -- sh -c 'kill -TERM $$'
	expect "status after a signal" 143 "$status"
}

test_death() {
	run -- sh -c 'echo last words; echo c >/proc/sysrq-trigger; sleep 60'
	expect "status of a dead guest" 125 "$status"
	expect "output of a dead guest" "last words" "$(cat "$scratch/stdout")"
}

test_over_time() {
	run -t "$1" -o "$scratch/slow" -- sh -c 'while :; do :; done'
	expect "status over time" 124 "$status"
	expect "processes left" "" "$(pgrep -f "RIG_OUT=$scratch/slow")"
}

tested=''
[ $# -gt 0 ] || set -- uml custom qemu
for kind; do
	if ! rig_is_ready "$kind"; then
		echo "$kind: not in the cache ($rig/prepare $kind), left out"
		continue
	fi
	tested="$tested $kind"
	test_command
	test_signal
	test_death
	test_over_time "$(case $kind in qemu*) echo 10 ;; *) echo 4 ;; esac)"
done
kind=none
expect "kinds tested" some "${tested:+some}"
run -- true
expect "status of an unknown kind" 2 "$status"
echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
