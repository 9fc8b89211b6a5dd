"""Gateways that share a real Redis."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from prometheus_client import generate_latest
from redis.asyncio import Redis

from querygist.api.quotas import Quotas
from querygist.api.shared_quotas import SharedQuotas
from querygist.engines.base import Identity
from querygist.engines.fake import FakeEngine
from querygist.errors import ConfigurationError, EngineUnavailable, QuotaExceeded
from querygist.metrics import Metrics
from querygist.pipeline import shared_cache
from querygist.pipeline.shared_cache import LEASE_MS, SharedCache
from querygist.pipeline.signed_summary import SummarySigner
from querygist.pipeline.summary import Cited, Summary
from querygist.prompting.tokenizer import Tokenizer
from querygist.redis_connection import RedisConnection
from tests.conftest import Serve, first_sentences_of_document, missing

pytestmark = pytest.mark.slow

KEY = b"\x01" * 32
SECRET = "a secret of at least 32 characters"
NAME = SummarySigner(SECRET).name(KEY)
CITED = (Cited(0, 14, ((0, 14),), "verbatim"),)
DONE = Summary("Owls eat mice.", True, "generative", None, CITED, 1.0, 0.9, prompt_tokens=10, completion_tokens=4)


class RedisServer:
    """A redis-server of this test, on a socket in its folder; what it holds dies with it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir"]
        self.process = subprocess.Popen([*command, str(self.socket.parent)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        with self.process.stdout as output:  # a line a start is all it writes
            if not any("eady to accept connections" in line for line in output):
                raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Generator[RedisServer, None, None]:
    if not shutil.which("redis-server"):
        missing("redis-server is not installed")
    server = RedisServer(tmp_path)
    yield server
    server.kill()


Join = Callable[[], contextlib.AbstractAsyncContextManager[SharedCache]]


@pytest.fixture
def join(redis: RedisServer) -> Join:
    """`async with join() as shared`: one gateway's part."""

    @contextlib.asynccontextmanager
    async def joining() -> AsyncGenerator[SharedCache, None]:
        metrics = Metrics()
        shared = SharedCache(RedisConnection(redis.url, metrics), secret=SECRET, ttl_seconds=60, metrics=metrics)
        async with shared:
            yield shared

    return joining


class Work:
    """A computation that a test ends by hand."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.error: Exception | None = None
        self.times = 0

    async def compute(self) -> Summary:
        self.times += 1
        self.begun.set()
        await self.end.wait()
        if self.error:
            raise self.error
        return DONE


class Found(NamedTuple):
    summary: Summary
    cached: bool


async def once(shared: SharedCache, work: Work) -> Found:
    """The summary of KEY, from Redis or computed by `work`."""
    async with shared.lease(KEY) as lease:
        if cached := lease.summary is not None:
            return Found(lease.summary, cached)
        lease.summary = await work.compute()
        return Found(lease.summary, cached)


async def waits(redis: RedisServer, task: asyncio.Task[Found]) -> None:
    """Until `task` has been told to wait: it has asked, and is not done."""
    async with Redis.from_url(redis.url) as client, asyncio.timeout(30):
        while (await client.info("commandstats"))["cmdstat_evalsha"]["calls"] < 2:
            await asyncio.sleep(0.005)
    assert not task.done()


async def test_two_gateways_compute_once(join: Join, redis: RedisServer) -> None:
    work, other = Work(), Work()
    async with join() as one, join() as two:
        leading = asyncio.create_task(once(one, work))
        await work.begun.wait()
        waiting = asyncio.create_task(once(two, other))
        await waits(redis, waiting)
        work.end.set()
        assert await leading == Found(DONE, cached=False)
        assert await waiting == Found(DONE, cached=True)
        assert await once(one, other) == Found(DONE, cached=True)
        assert (work.times, other.times) == (1, 0)


async def test_what_is_not_lasting_is_not_shared(join: Join) -> None:
    """It was chosen without the reader: another gateway may have one."""
    async with join() as one, join() as two:
        async with one.lease(KEY) as lease:
            lease.summary = replace(DONE, score=None, lasting=False)
        work = Work()
        work.end.set()
        assert await once(two, work) == Found(DONE, cached=False)
        assert work.times == 1


async def test_a_computation_longer_than_the_lease_keeps_it(join: Join, redis: RedisServer) -> None:
    work, other = Work(), Work()
    async with join() as one, join() as two, Redis.from_url(redis.url) as client:
        leading = asyncio.create_task(once(one, work))
        await work.begun.wait()
        begun = time.monotonic()
        waiting = asyncio.create_task(once(two, other))
        (lease,) = await client.keys("*lease")
        while time.monotonic() < begun + 1.5 * LEASE_MS / 1000:
            assert await client.exists(lease)
            await asyncio.sleep(0.05)
        work.end.set()
        assert (await leading).cached is False
        assert (await waiting).cached is True
        assert other.times == 0


@pytest.mark.parametrize("how", ["fails", "is left"])
async def test_a_computation_that_ends_without_a_summary_passes_on(join: Join, redis: RedisServer, how: str) -> None:
    work, other = Work(), Work()
    async with join() as one, join() as two:
        leading = asyncio.create_task(once(one, work))
        await work.begun.wait()
        waiting = asyncio.create_task(once(two, other))
        await waits(redis, waiting)
        begun = time.monotonic()
        if how == "fails":
            work.error = EngineUnavailable("gone")
            work.end.set()
        else:
            leading.cancel()
        with pytest.raises((EngineUnavailable, asyncio.CancelledError)):
            await leading
        await other.begun.wait()
        assert time.monotonic() - begun < LEASE_MS / 1000 / 2, "told at once, not when the lease runs out"
        other.end.set()
        assert await waiting == Found(DONE, cached=False)


async def test_a_dead_gateway_is_waited_for_no_longer_than_its_lease(join: Join, redis: RedisServer) -> None:
    work = Work()
    work.end.set()
    async with join() as one, Redis.from_url(redis.url) as client:
        await client.set(f"querygist:{{{NAME}}}:lease", "of a dead one", px=LEASE_MS)
        assert await once(one, work) == Found(DONE, cached=False)


@pytest.mark.parametrize("lasts_ms", [None, 3_600_000])
async def test_a_lease_that_lasts_too_long_is_replaced(join: Join, redis: RedisServer, lasts_ms: int | None) -> None:
    work = Work()
    work.end.set()
    async with join() as one, join() as two, Redis.from_url(redis.url) as client:
        await client.set(f"querygist:{{{NAME}}}:lease", "of nobody", px=lasts_ms)
        async with asyncio.timeout(LEASE_MS / 1000):
            assert await once(one, work) == Found(DONE, cached=False)
        assert await once(two, work) == Found(DONE, cached=True)


async def test_a_lease_renewed_for_ever_is_not_waited_for(
    join: Join, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "LEASE_MS", 200)
    work = Work()
    work.end.set()
    async with join() as one, Redis.from_url(redis.url) as client:

        async def hold() -> None:
            while True:
                await client.set(f"querygist:{{{NAME}}}:lease", "of somebody", px=190)
                await asyncio.sleep(0.01)

        holding = asyncio.create_task(hold())
        while not await client.exists(f"querygist:{{{NAME}}}:lease"):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            assert await once(one, work) == Found(DONE, cached=False)
        assert not holding.done()
        holding.cancel()


def errors(shared: SharedCache) -> float:
    value = shared._metrics.registry.get_sample_value("querygist_shared_cache_errors_total")
    assert value is not None
    return value


async def test_redis_dies_and_comes_back(join: Join, redis: RedisServer) -> None:
    work, other = Work(), Work()
    async with join() as one, join() as two:
        leading = asyncio.create_task(once(one, work))
        await work.begun.wait()
        waiting = asyncio.create_task(once(two, other))
        await waits(redis, waiting)
        redis.kill()
        await other.begun.wait()  # it does not wait for a leader it cannot hear of
        other.end.set()
        work.end.set()
        assert (await leading).summary == (await waiting).summary == DONE
        assert errors(two) == 1
        assert (await once(two, other)).cached is False
        assert errors(two) == 1, "it rests: one request paid for the time-out, not each"
        redis.start()
        async with asyncio.timeout(30):
            while not (await once(two, other)).cached:
                await asyncio.sleep(0.05)
        assert (await once(one, other)).cached


async def test_a_redis_that_hangs_is_left_alone(join: Join, redis: RedisServer) -> None:
    work = Work()
    work.end.set()
    async with join() as one:
        redis.process.send_signal(signal.SIGSTOP)
        assert await once(one, work) == Found(DONE, cached=False)
        redis.process.send_signal(signal.SIGCONT)
        assert errors(one) == 1


async def test_more_commands_at_once_than_connections_are_answered(redis: RedisServer) -> None:
    """The pool raises an error when its 100 connections are taken: that is not Redis' silence."""
    connection = RedisConnection(redis.url, Metrics())
    script = connection.script("return 1")
    assert set(await asyncio.gather(*(connection.run(script, ["a"]) for _ in range(300)))) == {1}
    await connection.close()


def rejected(shared: SharedCache) -> float:
    value = shared._metrics.registry.get_sample_value("querygist_shared_cache_rejected_total")
    assert value is not None
    return value


def values() -> dict[str, bytes]:
    """What others may write where the summary of KEY belongs."""
    signer, name = SummarySigner(SECRET), NAME
    right = signer.sign(name, DONE)
    return {
        "no summary": b'{"text": 1}',
        "nothing": b"",
        "unsigned": right[32:],
        "of another secret": SummarySigner(SECRET[::-1]).sign(name, DONE),
        "of another key": signer.sign("02" * 32, DONE),
        "damaged": right.replace(b"Owls", b"Rats"),
        "copied more than all": signer.sign(name, replace(DONE, copied=7.5)),
    }


@pytest.mark.parametrize("kind", values())
async def test_what_a_gateway_did_not_sign_is_replaced(join: Join, redis: RedisServer, kind: str) -> None:
    work = Work()
    work.end.set()
    async with join() as one, join() as two, Redis.from_url(redis.url) as client:
        await client.set(f"querygist:{{{NAME}}}:summary", values()[kind])
        assert await once(one, work) == Found(DONE, cached=False)
        assert await once(two, work) == Found(DONE, cached=True), "computed anew, and kept"
        assert (rejected(one), errors(one), rejected(two)) == (kind != "nothing", 0, 0)


async def test_names_tell_nobody_what_was_asked(join: Join, redis: RedisServer) -> None:
    """A reader of Redis knows how a request is hashed, and not the secret."""
    work = Work()
    work.end.set()
    async with join() as one, Redis.from_url(redis.url) as client:
        await once(one, work)
        (name,) = await client.keys()
        assert KEY.hex() not in name.decode()
        assert SummarySigner(SECRET[::-1]).name(KEY) not in name.decode()


@pytest.mark.parametrize("part", ["summary", "lease"])
async def test_a_key_of_another_type_is_replaced(join: Join, redis: RedisServer, part: str) -> None:
    work = Work()
    work.end.set()
    async with join() as one, join() as two, Redis.from_url(redis.url) as client:
        await client.lpush(f"querygist:{{{NAME}}}:{part}", "x")
        assert await once(one, work) == Found(DONE, cached=False)
        assert await once(two, work) == Found(DONE, cached=True)
        assert errors(one) == 0, "it does not rest"


async def test_a_bad_message_does_not_end_the_listener(join: Join, redis: RedisServer) -> None:
    work, other = Work(), Work()
    async with join() as one, join() as two, Redis.from_url(redis.url) as client:
        leading = asyncio.create_task(once(one, work))
        await work.begun.wait()
        waiting = asyncio.create_task(once(two, other))
        await waits(redis, waiting)
        while await client.publish("querygist:landed", b"\xff") < 2:
            await asyncio.sleep(0.005)
        begun = time.monotonic()
        work.end.set()
        assert await leading == Found(DONE, cached=False)
        assert await waiting == Found(DONE, cached=True)
        assert time.monotonic() - begun < LEASE_MS / 1000 / 2, "told, not asked again"
        assert dict(await client.pubsub_numsub("querygist:landed")) == {b"querygist:landed": 2}


@pytest.mark.parametrize("url", ["localhost:6379", "redis://u:s3c/ret@h"])
def test_an_address_that_is_none_is_said_without_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="QUERYGIST_REDIS_URL is no address of a Redis") as raised:
        RedisConnection(url, Metrics())
    assert "s3c" not in raised.value.detail
    assert raised.value.__cause__ is None


BODY = {"query": "what do owls eat", "document": "Owls eat mice. They hunt at night. Snow is cold."}


async def test_gateways_share_work_and_go_on_without_redis(
    redis: RedisServer, serve: Serve, identity: Identity, tokenizer: Tokenizer
) -> None:
    engines = [FakeEngine(identity, first_sentences_of_document(tokenizer)) for _ in range(2)]
    shared = {"redis_url": redis.url, "redis_secret": SECRET}
    async with serve(engines[0], **shared) as one, serve(engines[1], **shared) as two:
        clients: list[httpx.AsyncClient] = [one, two]
        answers = [(await client.post("/summarize", json=BODY)).json() for client in clients]
        assert [answer["cached"] for answer in answers] == [False, True]
        assert answers[0]["summary"] == answers[1]["summary"]
        text = generate_latest(two.gateway.metrics.registry).decode()  # type: ignore[attr-defined]
        assert 'querygist_cache_hits_total{kind="shared"} 1.0' in text
        streamed = await two.post("/summarize", json=BODY | {"max_words": 30, "stream": True})
        again = await one.post("/summarize", json=BODY | {"max_words": 30, "stream": True})
        assert [text.count("event: token") > 0 for text in (streamed.text, again.text)] == [True, True]
        assert '"cached":true' in again.text.replace(" ", "")
        redis.kill()
        for number, client in enumerate(clients):
            answer = (await client.post("/summarize", json=BODY | {"max_words": 40 + number})).json()
            assert (answer["method"], answer["cached"]) == ("generative", False)


async def test_gateways_count_quotas_together(redis: RedisServer) -> None:
    connections = [RedisConnection(redis.url, Metrics()) for _ in range(3)]
    gateways = [Quotas(SharedQuotas(connection).spend) for connection in connections]
    for number in range(10):
        await gateways[number % 3].spend("alice", 10, 1)
    with pytest.raises(QuotaExceeded) as refused:
        await gateways[0].spend("alice", 10, 2)
    assert refused.value.retry_after == pytest.approx(12, abs=1)
    await gateways[0].spend("bob", 10, 10)
    async with Redis.from_url(redis.url) as client:
        await client.set("querygist:quota:alice", "1e300")  # of a clock that went wrong
        await gateways[0].spend("alice", 10, 10)
        await client.delete("querygist:quota:alice")
        await client.lpush("querygist:quota:alice", "no number")
        await gateways[0].spend("alice", 10, 10)
    redis.kill()
    with pytest.raises(QuotaExceeded):
        for _ in range(11):
            await gateways[1].spend("alice", 10, 1)
    for connection in connections:
        await connection.close()
