"""Locust as a process of its own: gevent, which it runs on, has no place in a process with asyncio."""

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path

LOCUSTFILE = Path(__file__).parents[1] / "locustfile.py"


async def locust(*arguments: str, log: Path | None = None) -> int:
    """Run a load test without the web page; returns its exit code. Its output goes to `log`, or to the terminal."""
    with log.open("wb") if log else nullcontext() as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--headless", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
