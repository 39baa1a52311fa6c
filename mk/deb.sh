#!/bin/sh
# deb.sh VERSION STAGE OUT: makes a Debian package of what `make install DESTDIR=STAGE PREFIX=/usr` has
# put into STAGE. Dependencies are those of the programs' libraries, as dpkg-shlibdeps finds them.
set -eu
version=$1 stage=$(realpath "$2") out=$3
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/debian"
printf 'Source: syncd\n\nPackage: syncd\nArchitecture: any\n' >"$work/debian/control"
programs=$(find "$stage/usr/sbin" -type f)
# shellcheck disable=SC2086 # paths without blanks
depends=$(cd "$work" && dpkg-shlibdeps -O $programs 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "deb.sh: dpkg-shlibdeps found nothing" >&2; exit 1; }

mkdir -p "$stage/DEBIAN"
cat >"$stage/DEBIAN/control" <<END
Package: syncd
Version: $version
Architecture: $arch
Section: net
Priority: optional
Maintainer: syncd maintainers <syncd@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: $depends
Recommends: keepalived, nftables
Description: connection sync for load balancers and NAT gateways
 Keeps the connections of the active box in the kernels of the standbys, so
 that a takeover by keepalived or Pacemaker loses none: conntrack and IPVS,
 IPv4 and IPv6, authenticated and encrypted, with proof that both are equal.
END
cat >"$stage/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  # A running daemon is replaced at once: its role is kept, the traffic does not notice.
  systemctl try-restart syncd.service || true
fi
END
cat >"$stage/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now syncd.service || true
fi
END
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm"
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$stage" "$out/syncd_${version}_$arch.deb"
