"""The embedded engine against scripted workers."""

import asyncio
import contextlib
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest

from querygist.deadline import Deadline
from querygist.engines import canary
from querygist.engines.base import Chunk, GenerationRequest, Identity, KnownAnswer
from querygist.engines.openvino import engine as module
from querygist.engines.openvino.engine import EmbeddedEngine
from querygist.engines.openvino.options import EngineOptions
from querygist.errors import DeadlineExceeded, EngineUnavailable

IDENTITY = Identity("m", "1", "b" * 64, None, "t" * 64, "v1", 100, 2, 896, 192, "int8")
OPTIONS = EngineOptions(Path("model"), 2, "int8", 0, 5, 3, 9, 512, 1, True)

WORKER = """
import json, socket, sys, time
connection = socket.socket(fileno=int(sys.argv[1]))
lines = connection.makefile("rb")
def say(key, ids=(), finished=None, error=None):
    line = dict(key=key, ids=list(ids), drafted=0, accepted=0, batch=1, finished=finished, error=error)
    connection.sendall(json.dumps(line).encode() + b"\\n")
connection.sendall(b'{"loaded": true}\\n')
for line in lines:
    message = json.loads(line)
    key = message.get("submit") or message["cancel"]
"""

ANSWERS = (
    WORKER
    + """
    if "submit" in message: say(key, [5, 6]); say(key, [7], "stop")
"""
)
DEAF = (
    WORKER
    + """
    time.sleep(1000)
"""
)
ONLY_CANCELS = (
    WORKER
    + """
    if "cancel" in message: say(key, finished="cancelled")
"""
)
BUSY = (
    WORKER
    + """
    if key == "canary-0": say(key, [5], "length")
    elif key.startswith("canary"): say("long", [5])
"""
)
SLOW = (
    WORKER
    + """
    time.sleep(0.3)
    if "submit" in message: say(key, [5], "length")
"""
)
REFUSES = (
    WORKER
    + """
    if "submit" in message: say(key, error="too much")
"""
)
DIES = (
    WORKER
    + """
    if key.startswith("canary"): say(key, [5], "length")
    else: connection.sendall(b'{"key": "half a li'); sys.exit(1)
"""
)


@contextlib.asynccontextmanager
async def engine(
    script: str, stall_seconds: float = 1000, known: KnownAnswer | None = None
) -> AsyncGenerator[EmbeddedEngine, None]:
    worker = (sys.executable, "-c", script)
    one = EmbeddedEngine(IDENTITY, OPTIONS, stall_seconds=stall_seconds, known=known, worker=worker)
    await one.start()
    async with asyncio.timeout(20):
        while one.pid is None:
            await asyncio.sleep(0.005)
    try:
        yield one
    finally:
        await one.close()
        assert one.pid is None


async def ask(one: EmbeddedEngine, seconds: float = 10, key: str = "a") -> list[Chunk]:
    deadline = Deadline.after(seconds)
    return [chunk async for chunk in one.generate(GenerationRequest([1, 2], 9, deadline, key))]


async def test_chunks_come_as_the_worker_says_them() -> None:
    async with engine(ANSWERS) as one:
        await one.ready()
        chunks = await ask(one)
        assert [chunk.ids for chunk in chunks] == [(5, 6), (7,)]
        assert [chunk.finished for chunk in chunks] == [None, "stop"]
        await one.ready()


async def test_a_hung_worker_is_replaced_though_requests_are_short() -> None:
    async with engine(DEAF, stall_seconds=0.5) as one:
        first = one.pid
        async with asyncio.timeout(10):
            while one.pid in {first, None}:
                with contextlib.suppress(DeadlineExceeded, EngineUnavailable):
                    await ask(one, 0.1)
                await asyncio.sleep(0.01)


async def test_a_worker_that_only_answers_cancels_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "CANARY_SECONDS", 0.05)
    async with engine(ONLY_CANCELS) as one:
        for _ in range(3):
            results = await asyncio.gather(*(one.ready() for _ in range(5)), return_exceptions=True)
            assert [type(result) for result in results] == [EngineUnavailable] * 5


async def test_a_token_for_somebody_else_proves_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(BUSY) as one:
        await one.ready()
        monkeypatch.setattr(canary, "FRESH_SECONDS", 0)
        other = asyncio.create_task(ask(one, key="long"))
        await asyncio.sleep(0)
        await one.ready()
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


async def test_a_refusal_and_a_death_reach_who_asked() -> None:
    async with engine(REFUSES) as one:
        for refused in (one.ready, partial(ask, one)):  # a canary, and once one has been out, a request
            with pytest.raises(EngineUnavailable, match="too much"):
                await refused()
    async with engine(DIES) as one:
        await one.ready()
        with pytest.raises(EngineUnavailable, match="stopped while"):
            await ask(one)


async def test_a_worker_that_cannot_load_is_tried_again(logged: io.StringIO) -> None:
    one = EmbeddedEngine(IDENTITY, OPTIONS, stall_seconds=1000, worker=(sys.executable, "-c", "raise SystemExit(3)"))
    await one.start()
    async with asyncio.timeout(20):
        while logged.getvalue().count("engine_failed_to_load") < 2:
            with pytest.raises(EngineUnavailable, match="loading"):
                await ask(one)
            await asyncio.sleep(0.005)
    await one.close()
    assert '"exit_code": 3' in logged.getvalue()


async def test_a_silent_worker_fails_requests_at_once_until_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "CANARY_SECONDS", 0.2)
    monkeypatch.setattr(canary, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.01)
    async with engine(ANSWERS) as one, asyncio.timeout(60):
        await one.ready()
        worker = one.pid
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        try:
            waiting = await asyncio.gather(*(ask(one, 1000, key) for key in "abc"), return_exceptions=True)
            assert [type(one) for one in waiting] == [EngineUnavailable] * 3, "nobody had to call ready()"
            with pytest.raises(EngineUnavailable, match="silent for"):
                ask(one, 1000).send(None)  # without a single wait
        finally:
            os.kill(worker, signal.SIGCONT)
        while True:
            with contextlib.suppress(EngineUnavailable):
                assert await ask(one)
                break
            await asyncio.sleep(0.005)
        assert one.pid == worker


async def test_a_slow_prefill_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary waits behind it, and has the patience to."""
    monkeypatch.setattr(canary, "FRESH_SECONDS", 0.01)
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.01)
    async with engine(SLOW) as one:
        await one.ready()
        assert await asyncio.gather(*(ask(one, 60, key) for key in "abc"))


async def test_a_worker_with_another_answer_gets_no_requests(logged: io.StringIO) -> None:
    async with engine(ANSWERS, known=KnownAnswer((1, 2), (5, 6, 8))) as one:
        with pytest.raises(EngineUnavailable, match="known to give"):
            await one.ready()
        with pytest.raises(EngineUnavailable, match="known to give"):
            await ask(one)
    assert '"event": "engine_failed"' in logged.getvalue()
    async with engine(ANSWERS, known=KnownAnswer((1, 2), (5, 6, 7))) as one:
        await one.ready()
        assert await ask(one)


async def test_an_error_of_its_own_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch, logged: io.StringIO) -> None:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.01)
    check, failing = canary.Canary.check, True

    async def checked(one: canary.Canary) -> None:
        if failing:
            raise RuntimeError
        await check(one)

    monkeypatch.setattr(canary.Canary, "check", checked)
    async with engine(ANSWERS) as one, asyncio.timeout(20):
        while "engine_watch_failed" not in logged.getvalue():
            await asyncio.sleep(0.005)
        failing = False
        while one._last_error is not None:
            await asyncio.sleep(0.005)
        assert await ask(one)
