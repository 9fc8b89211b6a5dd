"""Forward Triton's output, line by line, as structured log events."""

import asyncio
import json
import re

import structlog

log = structlog.get_logger("querygist.triton")

GLOG = re.compile(r"([IWEF])\d{4} [\d:.]+ \d+ (\S+:\d+)\] ?(.*)")
"""Level, date, time, thread, source, message; the message is mostly a JSON string."""

LEVELS = {"I": "debug", "W": "warning", "E": "error", "F": "critical"}  # its info lines are only of use when it fails

TABLE = ("+-", "|")

EXPECTED = re.compile(r"CUDA|CudaDriver|NVML|DCGM|Signal \(15\) received")
"""There is no GPU, and we ask it to stop ourselves: no reason for a warning."""


async def forward(lines: asyncio.StreamReader | None) -> None:
    """Log every line until the end of the stream."""
    while lines is not None:
        try:
            line = await lines.readline()
        except ValueError:  # longer than the reader's limit; it was thrown away
            continue
        if not line:
            return
        log_line(line.decode(errors="replace").strip())


def log_line(line: str) -> None:
    """Log one line. Empty lines and frames of tables say nothing and are dropped."""
    if not line:
        return
    match = GLOG.fullmatch(line)
    if match:
        level, source, message = LEVELS[match[1]], match[2], _unquoted(match[3])
    else:  # printed by the model, by a library, or by Triton about its tables and command line
        level, source, message = "debug" if line.startswith(TABLE) else "warning", None, line
    if EXPECTED.search(message):
        level = "debug"
    if message := message.strip():
        getattr(log, level)("triton_log", source=source, text=message)


def _unquoted(message: str) -> str:
    try:
        return str(json.loads(message))
    except ValueError:
        return message
