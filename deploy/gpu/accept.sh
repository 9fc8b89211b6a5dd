#!/bin/sh
# On a machine with a GPU, docker and NVIDIA's container runtime:
#   deploy/gpu/accept.sh --checkpoint build/fp8/student/trtllm --hf build/fp8/student/source --out report
# The exit code is 0 for a green verdict. ACCEPT_VENV names an environment that has everything already.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${ACCEPT_VENV:-}
if [ -z "$venv" ]; then
  venv=$root/.venv
  make --silent -C "$root" .venv/.serve
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
    --constraint "$root/constraints.txt" --requirement "$root/deploy/gpu/requirements.txt"
fi
PYTHONPATH="$root/service:$root" exec "$venv/bin/python" -m deploy.gpu.accept "$@"
