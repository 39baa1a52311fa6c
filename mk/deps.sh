#!/bin/sh
# deps.sh PACKAGE...: says which Debian packages are missing, then installs them, with their
# services kept from starting (policy-rc.d, as invoke-rc.d(8) describes; put back at the end).
set -eu
missing=
for p; do
  case $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) in
    *' ok installed') ;;
    *) missing="$missing $p" ;;
  esac
done
[ -n "$missing" ] || exit 0
echo "deps: will install with apt-get:$missing"
if [ "$(id -u)" != 0 ]; then
  echo "deps: not root: run 'sudo make deps', or install them yourself" >&2
  exit 1
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' INT TERM
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "deps: done"
