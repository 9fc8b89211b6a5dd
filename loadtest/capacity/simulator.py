"""A discrete-event simulation of in-flight batching on one engine.

Requests join between forward passes, first come, first served, while there is a place (`max_batch`) and room for their
prompt (`max_tokens`). A prompt is read in the pass it joins, together with the others' decoding, and gives the first
token; each pass after that gives one token or more. This is TensorRT-LLM's inflight_fused_batching without chunked
contexts (cpp/tensorrt_llm/batch_manager/microBatchScheduler.cpp: in order of arrival, up to the first that does not
fit) under guaranteed_no_evict: who has joined is never paused.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from querygist.errors import ConfigurationError
from querygist.sizing.roofline import Work
from querygist.sizing.workload import Decoder

Cost = Callable[[Sequence[Work]], float]
"""Seconds of one forward pass."""

_DRAWS = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """`arrival` in seconds; the prompt has at least one token, the output too."""

    arrival: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Served:
    """Moments at which a request joined the batch, had its first token and its last, on the clock of the arrivals."""

    request: Request
    joined: float
    first_token: float
    finished: float
    passes: int

    @property
    def e2el(self) -> float:
        """From arrival to the last token."""
        return self.finished - self.request.arrival

    @property
    def queueing(self) -> float:
        """From arrival to the pass that reads the prompt."""
        return self.joined - self.request.arrival


@dataclass(frozen=True, slots=True)
class Batching:
    """`max_batch` requests and `max_tokens` tokens in one pass."""

    max_batch: int
    max_tokens: int

    def check(self, decoder: Decoder) -> None:
        """Raises ConfigurationError when a full batch of decoding requests would not fit into one pass."""
        if self.max_batch < 1 or self.max_batch * decoder.tokens_per_pass > self.max_tokens:
            raise ConfigurationError(
                f"{self.max_batch} requests of {decoder.tokens_per_pass} tokens a pass ({decoder.name}) need a "
                f"max_tokens of {self.max_batch * decoder.tokens_per_pass}, it is {self.max_tokens}: "
                "raise it, or lower max_batch."
            )


@dataclass(slots=True)
class _Active:
    request: Request
    joined: float
    made: int = 0
    passes: int = 0
    first_token: float = 0.0


def simulate(
    requests: Iterable[Request], cost: Cost, batching: Batching, decoder: Decoder, *, seed: int
) -> Iterator[Served]:
    """Serve `requests`, which arrive in order; they come out as they finish, all of them.

    Raises ConfigurationError for a prompt that never fits and for a batch that does not.
    """
    batching.check(decoder)
    draws = _emissions(decoder, seed)
    arrivals = iter(requests)
    upcoming = next(arrivals, None)
    waiting: deque[Request] = deque()
    active: list[_Active] = []
    clock = 0.0
    while upcoming is not None or waiting or active:
        if upcoming is not None and not waiting and not active:
            clock = max(clock, upcoming.arrival)
        while upcoming is not None and upcoming.arrival <= clock:
            waiting.append(upcoming)
            upcoming = next(arrivals, None)
        clock += cost(_plan(clock, waiting, active, batching, decoder))
        still = []
        for one in active:
            one.passes += 1
            if one.made:
                one.made += next(draws)
            else:
                one.made, one.first_token = 1, clock
            if one.made >= one.request.output_tokens:
                yield Served(one.request, one.joined, one.first_token, clock, one.passes)
            else:
                still.append(one)
        active = still


def _plan(
    clock: float, waiting: deque[Request], active: list[_Active], batching: Batching, decoder: Decoder
) -> list[Work]:
    """The next pass: an entry for each of `active`, in order, after those who may join have been moved there."""
    left = batching.max_tokens - decoder.tokens_per_pass * len(active)
    works = []
    for one in active:
        cached = one.request.prompt_tokens + min(one.made, one.request.output_tokens) - 1
        works.append(Work(decoder.tokens_per_pass, cached, decoder.logit_rows))
    while waiting and len(active) < batching.max_batch:
        prompt = waiting[0].prompt_tokens
        if prompt > left:
            if not active:
                raise ConfigurationError(
                    f"A prompt of {prompt} tokens never fits into a pass of max_tokens {batching.max_tokens}: raise it."
                )
            break
        left -= prompt
        active.append(_Active(waiting.popleft(), joined=clock))
        works.append(Work(prompt, 0, 1))  # one row of logits, for the first token
    return works


def _emissions(decoder: Decoder, seed: int) -> Iterator[int]:
    rng = np.random.default_rng([seed, 1])
    bounds = np.array(list(accumulate(decoder.emitted))) / sum(decoder.emitted)
    while True:
        yield from (np.searchsorted(bounds, rng.random(_DRAWS), side="right") + 1).tolist()


def poisson(rate: float, lengths: Sequence[tuple[int, int]], count: int, *, seed: int) -> Iterator[Request]:
    """`count` requests at `rate` a second; (prompt, output) lengths are drawn from `lengths`.

    The same seed gives the same requests at every rate, only faster: differences between rates are not luck.
    """
    rng = np.random.default_rng([seed, 0])
    gaps = rng.exponential(size=count)
    drawn = rng.integers(len(lengths), size=count)
    for moment, index in zip(np.cumsum(gaps) / rate, drawn, strict=True):
        yield Request(float(moment), *lengths[index])
