#!/bin/sh
# Triton's python backend is linked to libpython3.X.so, which Debian's own Python comes without.
# Usage: libpython.sh VENV. Installed when this runs as root on Debian; named otherwise (`querygist triton` would fail).
set -eu
version=$("$1/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$1/bin/python" - <<PYTHON && exit 0
import pathlib, sys, sysconfig
folders = sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib"
sys.exit(not any(pathlib.Path(folder, "libpython$version.so.1.0").exists() for folder in folders))
PYTHON
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing libpython$version ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "libpython$version" >/dev/null
else
    echo "Not installed, and Triton needs it: libpython$version (on Debian: apt-get install libpython$version)"
fi
