"""Summaries that several gateways share through Redis, and one computation of each among all of them.

A gateway that finds no summary takes a *lease* on computing it, and renews the lease while it computes. Others wait:
what ends a computation, well or not, is told on a channel; a lease that nobody renews runs out. Redis is never
needed: whoever gets no answer from it computes alone.

Nor is it trusted: summaries are signed with a secret that the gateways share. What is forged, damaged or of another
type is removed and computed anew.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from redis.exceptions import RedisError

from querygist.metrics import Metrics
from querygist.pipeline.signed_summary import SummarySigner
from querygist.pipeline.summary import Summary
from querygist.redis_connection import REST_SECONDS, RedisConnection

LEASE_MS = 2000
"""How long others wait for a gateway that died while it computed. A computation that lives renews its lease."""

MOST_LEASES = 3
"""A gateway that has waited for so many of their lengths computes alone: who writes to Redis may renew one for ever."""

_CHANNEL = "querygist:landed"

# The summary if it is there, and not the one that was refused; else the lease if it is free. One of another type, or
# that lasts longer than ours do, is no gateway's.
_ASK = """
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then redis.call('DEL', key) end
end
local lasts = redis.call('PTTL', KEYS[2])
if lasts == -1 or lasts > tonumber(ARGV[2]) then redis.call('DEL', KEYS[2]) end
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[3] then return found end
if found then redis.call('DEL', KEYS[1]) end
return redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""
_RENEW = "if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"
_LAND = """
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if redis.pcall('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
"""


class _Turn(IntEnum):
    """Say who computes: the first two are what `_ASK` returns."""

    OTHER = 0
    OURS = 1
    ALONE = 2


@dataclass(slots=True)
class Lease:
    """`summary` is there when another gateway has computed it; else the holder computes it and sets it."""

    summary: Summary | None = None


class SharedCache:
    """The part of the cache that lies in Redis. For one event loop."""

    def __init__(self, redis: RedisConnection, *, secret: str, ttl_seconds: float, metrics: Metrics) -> None:
        self._redis = redis
        self._signer = SummarySigner(secret)
        self._ask_script, self._renew_script, self._land_script = map(redis.script, (_ASK, _RENEW, _LAND))
        self._ttl = ttl_seconds
        self._metrics = metrics
        self._landings: dict[str, set[asyncio.Event]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen for computations that end elsewhere."""
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._redis.close()

    @asynccontextmanager
    async def lease(self, key: bytes) -> AsyncGenerator[Lease, None]:
        """Hand out the summary of `key`, if Redis or the gateway that computes it has it, or the right to compute it.

        What the block sets as `lease.summary` is kept for the others; a block that ends without tells them to try.
        """
        name, token = self._signer.name(key), uuid.uuid4().hex
        turn = await self._turn(name, token)
        if isinstance(turn, Summary):
            self._metrics.cache_hits.labels("shared").inc()
            yield Lease(turn)
            return
        lease = Lease()
        if turn is _Turn.ALONE:
            yield lease
            return
        renewing = asyncio.create_task(self._renew(name, token))
        try:
            yield lease
        finally:
            renewing.cancel()
            content = b""
            if lease.summary is not None and lease.summary.lasting:
                content = self._signer.sign(name, lease.summary)
            # Shielded: a computation that everybody has left is cancelled, and another gateway may wait for its end.
            await asyncio.shield(self._land(name, token, content))

    async def _turn(self, name: str, token: str) -> Summary | _Turn:
        """Ask until it is not another gateway's turn any more, or for long enough."""
        ends = time.monotonic() + MOST_LEASES * LEASE_MS / 1000
        while True:
            with self._landing(name) as landed:  # before asking, or it might land in between
                turn = await self._ask(name, token)
                if turn is not _Turn.OTHER:
                    return turn
                if time.monotonic() > ends:
                    return _Turn.ALONE
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(landed.wait(), LEASE_MS / 1000)

    async def _ask(self, name: str, token: str) -> Summary | _Turn:
        refused = b""
        for _ in range(2):
            found = await self._redis.run(self._ask_script, [_summary(name), _lease(name)], token, LEASE_MS, refused)
            if not isinstance(found, bytes):
                return _Turn.ALONE if found is None else _Turn(found)
            summary = self._signer.read(name, found)
            if summary is not None:
                return summary
            self._metrics.shared_cache_rejected.inc()
            refused = found
        return _Turn.ALONE  # somebody writes as fast as we ask

    async def _renew(self, name: str, token: str) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 4000)
            await self._redis.run(self._renew_script, [_lease(name)], token, LEASE_MS)

    async def _land(self, name: str, token: str, content: bytes) -> None:
        keys = [_summary(name), _lease(name)]
        await self._redis.run(self._land_script, keys, token, content, round(1000 * self._ttl), _CHANNEL, name)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.listener.pubsub() as channel:
                    await channel.subscribe(_CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._wake(message["data"].decode(errors="replace"))  # anybody may have sent it
            except (RedisError, OSError):
                for name in list(self._landings):
                    self._wake(name)  # they ask, and learn that nobody answers
                await asyncio.sleep(REST_SECONDS)

    def _wake(self, name: str) -> None:
        for landed in self._landings.get(name, ()):
            landed.set()

    @contextlib.contextmanager
    def _landing(self, name: str) -> Iterator[asyncio.Event]:
        """An event that is set when a computation of `name` ends anywhere."""
        landed = asyncio.Event()
        self._landings.setdefault(name, set()).add(landed)
        try:
            yield landed
        finally:
            self._landings[name].discard(landed)
            if not self._landings[name]:
                del self._landings[name]


def _summary(name: str) -> str:
    return f"querygist:{{{name}}}:summary"  # braces: both keys of a name lie on one node of a Redis Cluster


def _lease(name: str) -> str:
    return f"querygist:{{{name}}}:lease"
