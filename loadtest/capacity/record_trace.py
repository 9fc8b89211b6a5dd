"""Record a trace of a gateway under open-loop load: when each request came, how long it was, how long it took.

Requests are sent at moments drawn beforehand (Poisson), whether or not the ones before are answered. The JSON file:

    {"url": ..., "rate": 4.0, "seed": 0, "failed": 0, "tokens_per_pass": 2.9, "drafted_per_pass": 4.1,
     "requests": [{"arrival": 0.31, "send_lag": 0.001, "e2el": 0.82, "prompt_tokens": 341, "output_tokens": 38}, ...]}

Requests are `load.results.Result`s. `tokens_per_pass` (S) and `drafted_per_pass` are means over decoding passes, from
the gateway's counters before and after.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console

from loadtest.load.asyncio_client import ask, connect, open_loop
from loadtest.load.results import GENERATIVE, Result, Since
from loadtest.servers import metrics
from querygist import json_files
from querygist.errors import ConfigurationError

DEADLINE = 60.0

_COUNTERS = ("generation_tokens", "forward_passes", "candidate_tokens_drafted")


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded run; see the module."""

    url: str
    rate: float
    seed: int
    failed: int
    tokens_per_pass: float
    drafted_per_pass: float
    requests: tuple[Result, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a trace. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "trace", "`python -m loadtest record` makes one.")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        json_files.save(path, self, indent=1)


async def record(
    url: str,
    rows: Sequence[Mapping[str, str]],
    moments: Sequence[float],
    *,
    rate: float,
    seed: int,
    console: Console,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Trace:
    """Send `rows`, in turn, at `moments` drawn with `rate` and `seed`. Each query gets a number: none is a cached one.

    Raises ConfigurationError when the gateway does not answer, or answers nothing.
    """
    async with connect(url, deadline=DEADLINE, transport=transport) as client:

        async def send(number: int, moment: float, since: Since) -> Result:
            row = rows[number % len(rows)]
            query = f"{row['query']} {number}"
            result = await ask(client, query, row["document"], arrival=moment, since=since, fallback="none")
            if result.cached:
                raise ConfigurationError("The gateway answered from its cache: start it with QUERYGIST_CACHE_MB=0.")
            return result

        before = await _counters(url, transport)
        results = await open_loop(moments, send, time.monotonic(), console)
        after = await _counters(url, transport)
    answered = tuple(result for result in results if result.outcome == GENERATIVE)
    if not answered:
        raise ConfigurationError(f"None of {len(moments)} requests to {url} was answered by the model: lower the rate.")
    tokens, passes, drafted = (after[name] - before[name] for name in _COUNTERS)
    decoding = max(1.0, passes - len(answered))  # each answer's first token came with its prompt's pass
    return Trace(
        url=url,
        rate=rate,
        seed=seed,
        failed=len(results) - len(answered),
        tokens_per_pass=max(1.0, (tokens - len(answered)) / decoding),
        drafted_per_pass=drafted / decoding,
        requests=answered,
    )


async def _counters(url: str, transport: httpx.AsyncBaseTransport | None) -> dict[str, float]:
    try:
        async with httpx.AsyncClient(transport=transport) as client:
            found = await metrics(client, url)
        return {name: found[f"querygist_{name}_total"] for name in _COUNTERS}
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise ConfigurationError(
            f"{url}/metrics is not a gateway's ({type(error).__name__}). Start one, and name its address."
        ) from error
