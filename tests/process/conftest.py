"""`querygist serve` as a process of its own, with the real model."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY, until_ready
from tests.process.egress import Watch


@dataclass
class Gateway:
    """A running gateway: its process, log file, address, and a client."""

    process: subprocess.Popen[bytes]
    log: Path
    client: httpx.AsyncClient

    def worker_pid(self, kind: str = "engine") -> int:
        """The engine's or the reader's process id, from the newest log line that tells it."""
        pids = [event["pid"] for event in self.events() if event["event"] == f"{kind}_loaded"]
        return int(pids[-1])

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    async def event(self, name: str) -> dict[str, object]:
        """Wait for a log line."""
        async with asyncio.timeout(60):
            while not (found := [event for event in self.events() if event["event"] == name]):
                await asyncio.sleep(0.02)
        return found[-1]


PROGRAM = (sys.executable, "-m", "querygist")

Start = Callable[..., contextlib.AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`async with start(SETTING=value) as gateway`: ready when the block begins."""

    @contextlib.asynccontextmanager
    async def starting(
        ready: bool = True,
        program: Sequence[str] = PROGRAM,
        cwd: Path = REPOSITORY,
        environment: Mapping[str, str] = os.environ,
        **settings: str,
    ) -> AsyncGenerator[Gateway, None]:
        log = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}.log"
        own = {f"QUERYGIST_{name}": value for name, value in settings.items()} | {"QUERYGIST_LOG_FORMAT": "json"}
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*program, "serve", "--port", "0"],
                env=dict(environment) | own, stderr=stderr, cwd=cwd,
            )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                while not (found := re.search(r'"url": "([^"]+)"', log.read_text())):
                    assert process.poll() is None, log.read_text()
                    await asyncio.sleep(0.02)
            if ready:
                await until_ready(found[1])
            async with httpx.AsyncClient(base_url=found[1], timeout=90, headers={"X-Deadline-Ms": "60000"}) as client:
                yield Gateway(process, log, client)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    return starting


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    folder = tmp_path / "watch"
    folder.mkdir()
    return Watch(folder)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
