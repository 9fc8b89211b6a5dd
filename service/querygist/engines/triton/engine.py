"""Triton Inference EndpointPool behind the gateway: TensorRT-LLM on GPUs or the CPU model, by the same tensors."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

from querygist.engines.base import Chunk, GenerationRequest, Identity, KnownAnswer, Status
from querygist.engines.triton.endpoint import Endpoint
from querygist.engines.triton.pool import EndpointPool
from querygist.errors import EngineUnavailable, Overloaded

RETRY_SHARE, RETRY_BURST = 0.1, 10.0
"""Retries are at most this share of requests, after a burst: where everything fails, retrying adds to the load."""


class TritonEngine:
    """Spreads requests over servers: to the one that holds the fewest, of the healthy ones. For one event loop."""

    def __init__(
        self,
        identity: Identity,
        names: Sequence[str],
        *,
        plain: bool,
        stall_seconds: float,
        known: KnownAnswer | None = None,
    ) -> None:
        """`identity` is what every server must serve; see `EndpointPool` for `names`, `Endpoint` for the rest."""
        self.identity = identity
        self._pool = EndpointPool(
            names, lambda address: Endpoint(address, identity, plain=plain, stall_seconds=stall_seconds, known=known)
        )
        self._budget = RETRY_BURST
        self._retries = 0
        self._turn = 0

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The servers that requests may go to now."""
        return self._pool.endpoints

    async def start(self) -> None:
        """Begin to connect; requests raise EngineUnavailable until a server has proved itself."""
        self._pool.start()

    async def close(self) -> None:
        """Hang up."""
        await self._pool.close()

    async def ready(self) -> None:
        """See `Engine.ready`: each server is asked every second; one that answers is enough."""
        if not self.endpoints:
            raise self._nowhere()
        if all(endpoint.last_error for endpoint in self.endpoints):
            reasons = " ".join(endpoint.last_error.detail for endpoint in self.endpoints if endpoint.last_error)
            raise EngineUnavailable(reasons, retry_after=5)

    def status(self) -> Status:
        """See `Engine.status`."""
        well = {endpoint.address: endpoint.last_error is None for endpoint in self.endpoints}
        return Status(servers=well, retries=self._retries)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`. Until its first token a request that fails is given to another server, once."""

        self._budget = min(RETRY_BURST, self._budget + RETRY_SHARE)
        first = self._choose(None)
        begun = False
        try:
            async with contextlib.aclosing(first.generate(request)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
            return
        except (EngineUnavailable, Overloaded):
            second = self._choose(first)
            if begun or second is first or second.last_error is not None or self._budget < 1:
                raise
            self._budget -= 1
            self._retries += 1
        async with contextlib.aclosing(second.generate(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _choose(self, failed: Endpoint | None) -> Endpoint:
        """Return the least loaded healthy server, the next in turn among equals; `failed` only if there is no other."""
        self._turn += 1
        count = len(self.endpoints)
        if not count:
            raise self._nowhere()
        in_turn = [self.endpoints[(self._turn + number) % count] for number in range(count)]
        return min(in_turn, key=lambda one: (one is failed, one.last_error is not None, one.load))

    def _nowhere(self) -> EngineUnavailable:
        return EngineUnavailable(f"No Triton server is found at {', '.join(self._pool.names)}.", retry_after=5)
