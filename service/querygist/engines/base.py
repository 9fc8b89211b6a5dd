"""The protocol of an engine: token ids in, token ids out."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from querygist.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Identity:
    """The model that answers, exactly. Two engines with equal identities give equal greedy outputs in fp32.

    Hashes are lowercase sha256; limits are in tokens.
    """

    name: str
    version: str
    base_sha256: str
    adapter_sha256: str | None
    tokenizer_sha256: str
    prompt_version: str
    vocabulary_size: int
    end_id: int
    prompt_limit: int
    output_limit: int
    precision: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt of 1 to identity.prompt_limit `ids`, to be continued by at most `max_new_tokens` until `deadline`.

    `request_id` is unique among the requests in flight. `trace_headers`: the W3C trace context (`traceparent`,
    `tracestate`), for an engine that calls others.
    """

    ids: Sequence[int]
    max_new_tokens: int
    deadline: Deadline
    request_id: str
    trace_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A prompt, and the ids that the model continues it with in any precision; none: they are not known."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """The tokens that one forward pass added to one request.

    `ids` are the new token ids, the end id excluded; `drafted` and `accepted` count candidate tokens of this pass, so
    that len(ids) <= accepted + 1; `batch` is how many requests the pass made tokens for (0: the engine does not say).
    `finished` is set on the last chunk: "stop" (end id reached) or "length" (max_new_tokens reached).
    """

    ids: tuple[int, ...]
    drafted: int = 0
    accepted: int = 0
    batch: int = 0
    finished: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """An engine's own counts and servers, for metrics.

    `servers` are the addresses it sends requests to, and whether each is healthy (none: it is part of this process);
    `retries` counts the requests given to another server before their first token, since the start.
    """

    servers: Mapping[str, bool] = field(default_factory=dict)
    retries: int = 0

    @property
    def healthy(self) -> int:
        """Number of healthy servers, at least 1: where none is, requests still have to be tried."""
        return max(1, sum(self.servers.values()))


class Engine(Protocol):
    """Token ids in, stream of token ids out."""

    @property
    def identity(self) -> Identity:
        """The model behind the engine; constant for the engine's life."""
        ...

    async def start(self) -> None:
        """Begin to load; returns at once or when loaded. Requests before that raise EngineUnavailable."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Continue the request's prompt greedily, a chunk for each forward pass.

        Closing the generator cancels the request and frees its slot.
        Raises EngineUnavailable (dead, hung, not loaded) and DeadlineExceeded.
        """
        ...

    async def ready(self) -> None:
        """Run a canary inference, unless others' tokens prove the engine. Raises EngineUnavailable with the reason."""
        ...

    def status(self) -> Status:
        """Return the status now, without asking any server, so that metrics can be read at any time."""
        ...

    async def close(self) -> None:
        """Stop, and leave nothing running."""
        ...
