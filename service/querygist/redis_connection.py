"""Scripts run in a Redis that is never needed: whoever gets no answer soon goes on without."""

import asyncio
import time

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from querygist.errors import ConfigurationError
from querygist.metrics import Metrics

log = structlog.get_logger("querygist.redis")

ANSWER_SECONDS = 0.1
"""Redis answers in a millisecond or two; one that takes this long is worse than none."""

AT_ONCE = 16
"""Scripts that run at once, each on a connection; others wait. The pool calls it an error when its 100 are taken."""

REST_SECONDS = 1.0
"""It is not asked again for this long then."""


class RedisConnection:
    """To one Redis. `listener` waits for messages as long as it takes. For one event loop."""

    def __init__(self, url: str, metrics: Metrics) -> None:
        """Raises ConfigurationError when `url` is none."""
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            self.listener = Redis.from_url(url, socket_timeout=None, socket_connect_timeout=REST_SECONDS)
        except ValueError:  # its message quotes the address, where a password may stand
            raise ConfigurationError(
                "QUERYGIST_REDIS_URL is no address of a Redis. Write redis://USER:PASSWORD@HOST:PORT, or rediss:// for "
                "TLS, and percent-encode what is neither a letter nor a digit in the password."
            ) from None
        self._metrics = metrics
        self._rests_until = 0.0
        self._places = asyncio.Semaphore(AT_ONCE)

    def script(self, text: str) -> AsyncScript:
        """Return a Lua script for `run`."""
        return self._redis.register_script(text)

    async def run(self, script: AsyncScript, keys: list[str], *arguments: str | bytes | float) -> bytes | int | None:
        """Return what a script returns; None when Redis does not answer, or did not a moment ago."""
        async with self._places:
            if time.monotonic() < self._rests_until:  # which one before may just have found
                return None
            try:
                answer: bytes | int | None = await script(keys, arguments)
                return answer
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("redis_does_not_answer", error=type(error).__name__, rests_seconds=REST_SECONDS)
                self._metrics.shared_cache_errors.inc()
                self._rests_until = time.monotonic() + REST_SECONDS
                return None

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self.listener.aclose()
