"""Child processes that get no signal meant for their parent's terminal, and do not outlive the parent."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

LINE_LIMIT = 1 << 20

SETPRIV = shutil.which("setpriv")
"""From util-linux. It asks the kernel to end the child with its parent, then becomes the child."""


async def spawn(
    *command: str | Path, environment: Mapping[str, str], output: int | None = None
) -> asyncio.subprocess.Process:
    """Start `command` in a session of its own, its output (stdout and stderr) to `output` or to this process's own.

    A Ctrl-C that reaches the whole foreground group passes it by; when this process is killed, it gets a SIGTERM.
    Raises OSError.
    """
    until_parent_ends = (SETPRIV, "--pdeathsig", "TERM", "--") if SETPRIV else ()
    return await asyncio.create_subprocess_exec(
        *until_parent_ends, *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output,
        stderr=None if output is None else asyncio.subprocess.STDOUT, start_new_session=True, limit=LINE_LIMIT,
    )  # fmt: skip


def kill_group(leader: int) -> None:
    """Kill a process started by `spawn` and what it started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
