"""The machine that a measurement is made on."""

import contextlib
import platform
import re
from pathlib import Path


def processor() -> str:
    """Name the processor as Linux does, else as Python does."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1]
    return platform.processor() or platform.machine()
