"""What the supervisor makes of a server that fails, hangs, or has much to do.

The server is a script: see scripted_tritonserver.py. tests/process/test_triton_life.py has the real one.
"""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from tritonclient.utils import InferenceServerException

from querygist.engines.triton.protocol import PLAIN
from querygist.triton_server import supervisor as module
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, Ports, ServerOptions
from querygist.triton_server.supervisor import Probe, Supervisor
from tests.process.conftest import alive

SCRIPT = Path(__file__).with_name("scripted_tritonserver.py")
STALL_SECONDS = 0.4


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)


def events(logged: io.StringIO, name: str) -> list[dict[str, object]]:
    lines = map(json.loads, logged.getvalue().splitlines())
    return [event for event in lines if event["event"] == name]


@contextlib.asynccontextmanager
async def supervised(
    tmp_path: Path, mode: str, stall_seconds: float = STALL_SECONDS
) -> AsyncGenerator[Supervisor, None]:
    binary = tmp_path / "tritonserver"
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} {SCRIPT} "{mode}" "$@"\n')
    binary.chmod(0o755)
    grpc, metrics = claim([(HOST, 0)] * 2)
    options = ServerOptions(binary, os.environ, tmp_path, tmp_path, Ports(grpc, metrics))
    supervisor = Supervisor(options, Probe(2, PLAIN), stall_seconds=stall_seconds)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_cancelled_probe_ends_though_its_call_fails_then(monkeypatch: pytest.MonkeyPatch) -> None:
    class Call:
        """As gRPC's: a cancellation that meets the end of the call is swallowed, and the call's error raised."""

        def __aiter__(self) -> "Call":
            return self

        async def __anext__(self) -> tuple[None, None]:
            try:
                return await asyncio.Event().wait()  # type: ignore[return-value]
            except asyncio.CancelledError:
                raise InferenceServerException("gone", status="StatusCode.UNAVAILABLE") from None

        def cancel(self) -> None:
            pass

    monkeypatch.setattr(module.protocol, "stream", lambda *_, **__: Call())
    probing = asyncio.create_task(Probe(2, PLAIN).run(None, timeout=60))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("mode", "event", "reason"),
    [
        ("exits", "triton_failed", "the server ended with exit code 1"),
        ("broken", "triton_failed", "the canary failed: INTERNAL Stub process"),
        ("early", "triton_failed", "the canary failed: INTERNAL the stream ended early"),
        ("silent", "triton_restarting", "no token was made for 0.4 s"),
        ("full", "triton_restarting", "no token was made for 0.4 s"),
    ],
)
async def test_a_server_that_fails_is_replaced_and_the_log_says_why(
    tmp_path: Path, logged: io.StringIO, mode: str, event: str, reason: str
) -> None:
    async with supervised(tmp_path, mode):
        await until(lambda: len(events(logged, event)) >= 2)
    pids = [int(str(one["pid"])) for one in events(logged, "triton_starting")]
    assert len(set(pids)) == len(pids) >= 2
    assert not any(alive(pid) for pid in pids)
    for one in events(logged, event):
        assert str(one["reason"]).startswith(reason)
        assert one["level"] == "error"
    outages = ["outage_seconds" in one for one in events(logged, "triton_ready")]
    assert outages == [number > 0 for number in range(len(outages))]
    assert len(events(logged, "triton_stopped")) == 1


@pytest.mark.parametrize("mode", ["silent and busy", "full and busy"])
async def test_a_waiting_canary_is_no_failure_while_others_succeed(
    tmp_path: Path, logged: io.StringIO, mode: str
) -> None:
    async with supervised(tmp_path, mode):
        await until(lambda: events(logged, "triton_ready"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4 * STALL_SECONDS):
                await until(lambda: events(logged, "triton_restarting"))
    assert len(events(logged, "triton_starting")) == 1


async def test_a_server_that_is_killed_is_told_by_its_exit_code(tmp_path: Path, logged: io.StringIO) -> None:
    async with supervised(tmp_path, "silent and busy") as supervisor:
        await until(lambda: events(logged, "triton_ready"))
        supervisor.kill()
        await until(lambda: events(logged, "triton_restarting"))
    assert events(logged, "triton_restarting")[0]["reason"] == "the server ended with exit code -9"


async def test_a_waiting_canary_does_not_hide_a_dead_model(
    tmp_path: Path, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never answered, while the next one is told."""
    monkeypatch.setattr(module, "CANARY_SECONDS", 0.2)
    async with supervised(tmp_path, "died", stall_seconds=1000):
        await until(lambda: events(logged, "triton_restarting"))
    assert "is not healthy" in str(events(logged, "triton_restarting")[0]["reason"])
