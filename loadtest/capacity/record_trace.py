"""Record a run of a gateway under open-loop load: when each request came, how long it was, how long it took.

Requests are sent at moments drawn beforehand (Poisson), whether or not the ones before are answered, and latency counts
from the intended moment, so that a slow client or server cannot hide waiting (coordinated omission). The JSON file:

    {"url": ..., "rate": 4.0, "seed": 0, "failed": 0, "tokens_per_pass": 2.9, "drafted_per_pass": 4.1,
     "requests": [{"arrival": 0.31, "send_lag": 0.001, "e2el": 0.82, "queueing": 0.0, "first_token": 0.3,
                   "prompt_tokens": 341, "output_tokens": 38}, ...]}

Seconds, from the start of the run. `tokens_per_pass` (S) and `drafted_per_pass` are means over decoding passes, from
the gateway's counters before and after.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console
from rich.progress import Progress, TaskID

from loadtest.load.arrivals import constant, poisson
from loadtest.load.traffic import MAX_WORDS
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.schemas import Answer

DEADLINE = 60.0

_COUNTERS = ("generation_tokens", "forward_passes", "candidate_tokens_drafted")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answered request; `send_lag`: how long after its moment it was sent; `queueing` and `first_token` as the
    gateway
 tells them; `output_tokens` with the end id."""

    arrival: float
    send_lag: float
    e2el: float
    queueing: float
    first_token: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run; see the module."""

    url: str
    rate: float
    seed: int
    failed: int
    tokens_per_pass: float
    drafted_per_pass: float
    requests: tuple[Recorded, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a run. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "recorded run", "`python -m loadtest record` makes one.")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        json_files.save(path, self, indent=1)


async def record(
    url: str,
    rows: Sequence[Mapping[str, str]],
    *,
    rate: float,
    count: int,
    seed: int,
    console: Console,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Run:
    """Send `count` of `rows`, in turn, at `rate` a second. Each query gets a number, so that no answer is a cached one.

    Raises ConfigurationError when the gateway does not answer, or answers nothing.
    """
    moments = list(islice(poisson(constant(rate), seed), count))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE + 5, limits=limits, transport=transport) as client:
        before = await _counters(client)
        with Progress(console=console) as progress:
            task = progress.add_task("requests", total=count)
            began = time.monotonic()
            sent = [
                _send(client, rows[number % len(rows)], number, began, moment, progress, task)
                for number, moment in enumerate(moments)
            ]
            answered = [one for one in await asyncio.gather(*sent) if one is not None]
        after = await _counters(client)
    if not answered:
        raise ConfigurationError(f"None of {count} requests to {url} was answered by the model: lower the rate.")
    tokens, passes, drafted = (after[name] - before[name] for name in _COUNTERS)
    decoding = max(1.0, passes - len(answered))  # each answer's first token came with its prompt's pass
    return Run(
        url=url,
        rate=rate,
        seed=seed,
        failed=count - len(answered),
        tokens_per_pass=max(1.0, (tokens - len(answered)) / decoding),
        drafted_per_pass=drafted / decoding,
        requests=tuple(answered),
    )


async def _send(
    client: httpx.AsyncClient,
    row: Mapping[str, str],
    number: int,
    began: float,
    moment: float,
    progress: Progress,
    task: TaskID,
) -> Recorded | None:
    """One request at its moment; None when the model did not answer it."""
    body = {
        "query": f"{row['query']} {number}",
        "document": row["document"],
        "max_words": MAX_WORDS,
        "fallback": "none",
    }
    await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
    sent = time.monotonic() - began
    try:
        response = await client.post("/summarize", json=body, headers={"X-Deadline-Ms": str(int(1000 * DEADLINE))})
        latency = time.monotonic() - began - moment
        response.raise_for_status()
    except httpx.HTTPError:
        return None
    finally:
        progress.advance(task)
    answer = Answer.model_validate_json(response.content)
    if answer.cached:
        raise ConfigurationError("The gateway answered from its cache: start it with QUERYGIST_CACHE_MB=0.")
    return Recorded(
        arrival=moment,
        send_lag=sent - moment,
        e2el=latency,
        queueing=answer.timings_ms.queue / 1000,
        first_token=answer.timings_ms.first_token / 1000,
        prompt_tokens=answer.usage.prompt_tokens,
        output_tokens=answer.usage.completion_tokens + 1,
    )


async def _counters(client: httpx.AsyncClient) -> dict[str, float]:
    try:
        text = (await client.get("/metrics")).raise_for_status().text
        found = dict(re.findall(r"^querygist_(\w+)_total ([\d.e+]+)$", text, re.MULTILINE))
        return {name: float(found[name]) for name in _COUNTERS}
    except (httpx.HTTPError, KeyError) as error:
        raise ConfigurationError(
            f"{client.base_url}/metrics is not a gateway's ({type(error).__name__}). Start one, and name its address."
        ) from error
