#!/bin/sh
# System packages that some tests need. Installed when this runs as root on Debian; named otherwise (those tests skip).
set -eu
packages="chromium fonts-dejavu-core prometheus redis-server strace"
command -v kubectl >/dev/null || packages="$packages kubernetes-client" # another kubectl may have come from elsewhere
missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$missing ..."
    if [ ! -e /usr/sbin/policy-rc.d ]; then # tests start what they need: no package may start its service
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "Not installed, so the tests that need them will be skipped:$missing"
fi
