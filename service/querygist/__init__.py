"""Querygist: what this document says about this query, in real time."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

# Usage statistics stay here: every process of ours imports this before any library that would send them. Without its
# openvino_telemetry OpenVINO and NNCF fall back to stubs; no variable of theirs does it, and their consent is a file in
# the user's home. The others read these variables, as do child processes.
sys.modules.setdefault("openvino_telemetry", cast(Any, None))
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

try:
    __version__ = version("querygist")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
