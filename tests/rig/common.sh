# shellcheck shell=bash
# What `guest` and `prepare` share: where the cache is, and the few pieces made on first use.
# Sourced; sets RIG_DIR (this folder), RIG_CACHE and RIG_KINDS.

RIG_DIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
RIG_CACHE=${SYNCD_RIG_CACHE:-/var/cache/syncd-rig}
RIG_KINDS="uml custom kasan qemu qemu-6.12 qemu-kasan"

rig_die() {
	local status=$1
	shift
	echo "${0##*/}: $*" >&2
	exit "$status"
}

rig_is_kind() {
	case " $RIG_KINDS " in *" $1 "*) true ;; *) false ;; esac
}

# rig_is_ready KIND: true when that kernel is in the cache.
rig_is_ready() {
	[ -e "$RIG_CACHE/$1/ready" ]
}

# rig_compile NAME FLAG...: prints the path of NAME compiled from this checkout's NAME.c. It holds
# the source's hash, so checkouts that share the cache do not disturb each other.
rig_compile() {
	local name=$1 hash path
	shift
	hash=$(sha256sum "$RIG_DIR/$name.c" | cut -c1-16)
	path=$RIG_CACHE/compiled/$name-$hash
	if [ ! -e "$path" ]; then
		mkdir -p "$RIG_CACHE/compiled"
		gcc -std=gnu17 -O2 -Wall -Wextra "$@" -o "$path.$$" "$RIG_DIR/$name.c" || return 1
		mv "$path.$$" "$path"
	fi
	echo "$path"
}

# rig_initrd KIND INIT: prints the path of an initrd that holds INIT as /init and, numbered in
# load order, the modules by which it reaches the host's files.
rig_initrd() {
	local kind=$1 init=$2 path tree
	path=$RIG_CACHE/$kind/initrd-${init##*-}
	if [ ! -s "$path" ]; then
		tree=$(mktemp -d)
		cp "$init" "$tree/init"
		cp -r "$RIG_CACHE/$kind/boot-modules" "$tree/modules"
		mkdir "$tree/root"
		(cd "$tree" && find . | "$RIG_CACHE/tools/cpio" --quiet -o -H newc) >"$path.$$"
		rm -rf "$tree"
		mv "$path.$$" "$path"
	fi
	echo "$path"
}
