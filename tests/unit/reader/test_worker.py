"""The reader with a real worker process, of random weights."""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from querygist.artifact.reader_card import ReaderCard
from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, ReaderUnavailable
from querygist.reader.pages import PageToRead, Reading
from querygist.reader.reader import READY, WORKER, Reader
from tests.unit.reader import tiny

pytestmark = pytest.mark.embedded

UNITS = ["the moon is cold", "the sun is hot", "stars shine", "menu home topics"] * 8
LONG = PageToRead("why is the moon cold", UNITS, [("topics",)] * len(UNITS), list(range(len(UNITS))))
SHORT = PageToRead("what is hot", UNITS[:3], [(), ("stars",), ()], [1, 2, 0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("reader"))


@contextlib.asynccontextmanager
async def reader(folder: Path, stall_seconds: float = 1000) -> AsyncGenerator[Reader, None]:
    one = Reader(ReaderCard.load(folder), folder, threads=1, stall_seconds=stall_seconds, precise=True)
    assert one.status == "not started"
    await one.start()
    async with asyncio.timeout(60):
        await one.ready()
    try:
        yield one
    finally:
        await one.close()
        assert one.pid is None


async def read(one: Reader, *pages: PageToRead) -> list[Reading]:
    return await one.read(pages, Deadline.after(60))


def assert_equal(found: Reading, other: Reading) -> None:
    assert found.units == pytest.approx(other.units, abs=1e-4)
    assert found.similarities == pytest.approx(other.similarities, abs=1e-4)
    assert found.page == pytest.approx(other.page, abs=1e-4)


@contextlib.contextmanager
def stopped(one: Reader) -> Generator[int, None, None]:
    """A worker that does nothing during the block: what is asked of it waits."""
    assert one.pid is not None
    pid = one.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def begun(*tasks: "asyncio.Task[list[Reading]]") -> None:
    """Let tasks send what they ask; texts of this size are tokenized without a thread."""
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_pages_together_and_in_flight_read_as_alone(folder: Path) -> None:
    async with reader(folder) as one:
        (long,), (short,) = await read(one, LONG), await read(one, SHORT)
        assert None not in long.units
        assert len(set(long.units)) > 1
        assert 0 < long.page < 1
        for found, other in zip(await read(one, SHORT, LONG, SHORT), (short, long, short), strict=True):
            assert_equal(found, other)
        with stopped(one):
            tasks = [asyncio.create_task(read(one, page)) for page in (SHORT, LONG, SHORT)]
            await begun(*tasks)
        for (found,), other in zip(await asyncio.gather(*tasks), (short, long, short), strict=True):
            assert_equal(found, other)
        assert await read(one) == []


async def test_long_text_is_tokenized_off_the_loop_alike(folder: Path) -> None:
    async with reader(folder) as one:
        words = "the moon is cold and nobody knows why it shines "
        page = PageToRead("why", [words] * 300, [()] * 300, list(range(300)))
        (found,) = await read(one, page)
        assert found.units[0] is not None
        assert found.units[-1] is None


async def test_killed_worker_fails_its_pages_and_comes_back(folder: Path, logged: io.StringIO) -> None:
    async with reader(folder) as one:
        (before,) = await read(one, SHORT)
        with stopped(one) as pid:
            task = asyncio.create_task(read(one, SHORT))
            await begun(task)
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(ReaderUnavailable, match="stopped while"):
            await task
        assert one.status == "restarting after a failure"
        with pytest.raises(ReaderUnavailable, match="restarting"):
            await read(one, SHORT)
        await one.ready()
        assert one.status == READY
        assert one.pid != pid
        assert_equal((await read(one, SHORT))[0], before)
    for event in ("reader_loading", "reader_died", "reader_loaded"):
        assert event in logged.getvalue()


async def test_stalled_worker_is_replaced(folder: Path, logged: io.StringIO) -> None:
    async with reader(folder, stall_seconds=0.5) as one:
        with stopped(one) as pid:
            with pytest.raises(ReaderUnavailable, match="stopped while"):
                await read(one, SHORT)
            await one.ready()
            assert one.pid != pid
        await read(one, SHORT)
    assert "reader_stalled" in logged.getvalue()


async def test_cancelled_or_late_pages_do_not_hold_up_others(folder: Path) -> None:
    async with reader(folder) as one:
        (before,) = await read(one, SHORT)
        with stopped(one):
            left = asyncio.create_task(read(one, LONG))
            await begun(left)
            left.cancel()
            with pytest.raises(DeadlineExceeded):
                await one.read([LONG], Deadline.after(0.05))
        assert_equal((await read(one, SHORT))[0], before)
        assert left.cancelled()


async def test_input_the_network_cannot_take_is_refused(folder: Path, tmp_path: Path) -> None:
    card = ReaderCard.load(folder)
    limits = card.limits.model_copy(update={"tokens": 2 * tiny.TOKENS})
    script = (  # a worker that is not told of the longer inputs
        "import sys, json; from querygist.reader.worker import main;"
        f"o = json.loads(sys.argv[2]); o['max_tokens'] = {tiny.TOKENS}; sys.argv[2] = json.dumps(o); main()"
    )
    one = Reader(
        card.model_copy(update={"limits": limits}), folder, threads=1, stall_seconds=1000,
        worker=(sys.executable, "-c", script),
    )  # fmt: skip
    await one.start()
    await one.ready()
    with pytest.raises(ReaderUnavailable, match="could not read this page: ValueError"):
        await read(one, LONG)
    await read(one, SHORT)
    await one.close()


async def test_worker_that_cannot_load_is_tried_again(folder: Path, logged: io.StringIO) -> None:
    one = Reader(
        ReaderCard.load(folder), folder, threads=1, stall_seconds=1000,
        worker=(sys.executable, "-c", "raise SystemExit(3)"),
    )  # fmt: skip
    await one.start()
    async with asyncio.timeout(20):
        while logged.getvalue().count("reader_failed_to_load") < 2:
            with pytest.raises(ReaderUnavailable, match="loading"):
                await read(one, SHORT)
            await asyncio.sleep(0.005)
    await one.close()


async def test_worker_ends_when_its_gateway_hangs_up(folder: Path) -> None:
    files = [str(folder / f"{name}.safetensors") for name in ("embeddings", "layers")]
    options = {"files": files, "threads": 1, "max_tokens": tiny.TOKENS, "precise": True}
    ours, theirs = socket.socketpair()
    with theirs:
        handle = str(theirs.fileno())
        worker = await asyncio.create_subprocess_exec(*WORKER, handle, json.dumps(options), pass_fds=[theirs.fileno()])
    lines, gateway = await asyncio.open_connection(sock=ours)
    assert await lines.readline() == b'{"loaded":true}\n'
    gateway.close()
    async with asyncio.timeout(20):
        assert await worker.wait() == 0
