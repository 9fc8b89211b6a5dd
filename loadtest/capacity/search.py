"""Find how many GPUs a stream of queries needs, by simulation of one of them.

Requests that the cache does not answer come to a GPU as a Poisson stream (a thinned or split Poisson stream is one
again). The highest rate that one GPU serves within the objective is found by bisection; the same seed gives the same
requests at each rate. GPUs = queries a second that miss the cache / that rate, rounded up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil

import numpy as np

from loadtest.capacity.simulator import Batching, poisson, simulate
from querygist.errors import ConfigurationError
from querygist.sizing.gpus import Gpu
from querygist.sizing.roofline import KERNEL_SECONDS, Architecture, Work, step_seconds
from querygist.sizing.workload import Decoder, Workload

BATCHING = Batching(max_batch=32, max_tokens=4096)
"""As our engines are built: `trtllm-build --max_batch_size 32 --max_num_tokens 4096`."""

MAX_SEQUENCE = 1152
"""`--max_seq_len`: prompt, output and draft tokens of one request."""

MEMORY_SHARE = 0.8
"""Of the GPU's memory: what weights and the cache of keys and values may take."""

_WARM_UP = 0.1
_LASTING = 60
"""Average latencies. A rate 3 % too high then makes a queue that adds most of one to the average."""

_TOLERANCE = 0.01
_SLOW = 1.0
"""Requests a second at which they hardly ever meet."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Latency that must hold, in seconds, from arrival at the GPU's queue to the last token."""

    average: float
    p99: float | None = None

    @property
    def trial_seconds(self) -> float:
        """Shortest length of a trial: in a shorter one even an endless queue would not become long enough."""
        return _LASTING * self.average

    def met(self, load: "Load") -> bool:
        """True when it holds under this load."""
        return load.average <= self.average and (self.p99 is None or load.p99 <= self.p99)


@dataclass(frozen=True, slots=True)
class Load:
    """Performance of one engine at `rate` requests a second. Seconds; means, where nothing else is said."""

    rate: float
    average: float
    p50: float
    p99: float
    queueing: float
    ttft: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Engine:
    """A model on a GPU. Raises ConfigurationError when a full batch's keys and values would not fit into its memory:
    then requests would wait for memory (guaranteed_no_evict), which is not simulated."""

    gpu: Gpu
    architecture: Architecture
    decoder: Decoder
    batching: Batching = BATCHING
    kernel_seconds: float = KERNEL_SECONDS

    def __post_init__(self) -> None:
        needed = self.architecture.memory(self.batching.max_batch * MAX_SEQUENCE)
        if needed > MEMORY_SHARE * self.gpu.memory:
            raise ConfigurationError(
                f"{self.batching.max_batch} requests of {MAX_SEQUENCE} tokens and the weights of "
                f"{self.architecture.name} need {needed / 1e9:.1f} GB; of the {self.gpu.name}'s "
                f"{self.gpu.memory / 1e9:.0f} GB, {MEMORY_SHARE:.0%} may be used. Lower max_batch."
            )

    def cost(self, sequences: Sequence[Work]) -> float:
        """Seconds of one pass."""
        return step_seconds(self.gpu, self.architecture, sequences, kernel_seconds=self.kernel_seconds)


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a rate: at least `requests` of the lengths of `workload`, of which the first tenth warms up."""

    workload: Workload
    requests: int
    seed: int

    def of(self, engine: Engine, rate: float, *, seconds: float = 0.0) -> Load:
        """Serve at `rate`, for at least `seconds`."""
        count = max(self.requests, ceil(rate * seconds))
        arriving = poisson(rate, self.workload.requests, count, seed=self.seed)
        served = sorted(
            simulate(arriving, engine.cost, engine.batching, engine.decoder, seed=self.seed),
            key=lambda one: one.request.arrival,
        )
        counted = list(islice(served, int(_WARM_UP * len(served)), None))
        latencies = np.array([one.e2el for one in counted])
        return Load(
            rate=rate,
            average=float(latencies.mean()),
            p50=float(np.percentile(latencies, 50)),
            p99=float(np.percentile(latencies, 99)),
            queueing=float(np.mean([one.queueing for one in counted])),
            ttft=float(np.mean([one.first_token - one.request.arrival for one in counted])),
            in_flight=rate * float(latencies.mean()),  # Little's law, those in the queue among them
        )

    def sustained(self, engine: Engine, objective: Objective) -> Load | None:
        """The highest rate, to 1 %, at which the objective holds; None if it does not even for single requests."""
        at = partial(self.of, engine, seconds=objective.trial_seconds)
        best = at(_SLOW)
        if not objective.met(best):
            return None
        over = max(2 * best.rate, 1 / best.average)  # one after another, they would come to this
        while objective.met(load := at(over)):
            best, over = load, 2 * over
        while over / best.rate > 1 + _TOLERANCE:
            load = at((best.rate * over) ** 0.5)
            if objective.met(load):
                best = load
            else:
                over = load.rate
        return best


def gpus_needed(queries: float, cache_hits: float, rate: float) -> int:
    """GPUs for `queries` a second, of which the share `cache_hits` is answered by the cache, at `rate` each."""
    return ceil(queries * (1 - cache_hits) / rate)
