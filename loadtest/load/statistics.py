"""Statistics of a run or a part of it. The unit is the summary: a results page asks for ten."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import ConfigDict, PositiveFloat
from pydantic.dataclasses import dataclass as checked

from loadtest.load.results import EXTRACTIVE, Result

LAG_SECONDS = 0.05
"""A request that is sent later than this after its moment lags."""

GOOD = "in time"
SLOW = "too late"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Seconds."""

    mean: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(float(np.mean(seconds)), *np.percentile(seconds, (50, 95, 99)).tolist())


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Limits:
    """Seconds within which an answer that does not stand in for another is good: from the intended moment to the whole
    answer (E2EL) and, in a stream, to the first text (TTFT). None: no limit."""

    e2el: PositiveFloat | None = None
    ttft: PositiveFloat | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Headers that tell the service to keep them."""
        limits = {"X-Deadline-Ms": self.e2el, "X-First-Text-Ms": self.ttft}
        return {name: str(max(1, round(1000 * limit))) for name, limit in limits.items() if limit is not None}

    def keeps(self, result: Result) -> bool:
        """True when the answer is what was asked for, and in time."""
        return result.ok and all(
            limit is None or taken is None or taken <= limit
            for taken, limit in ((result.e2el, self.e2el), (result.ttft, self.ttft))
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the summaries asked for: not answered at all, by a quote that stands in, as asked and in time, from memory."""

    errors: float
    fallbacks: float
    goodput: float
    cache_hits: float


@dataclass(frozen=True, slots=True)
class Summary:
    """`asked` summaries in `seconds`. `outcomes` has answers as asked that were good apart from those that were not.
    Latencies are of answers, None where there is none; `streams` is how many were asked for as streams; `lagged` were
    sent more than LAG_SECONDS after their moment."""

    seconds: float
    asked: int
    streams: int
    outcomes: Mapping[str, int]
    shares: Shares
    e2el: Distribution | None
    ttft: Distribution | None
    itl: Distribution | None
    send_lag: Distribution
    lagged: int

    @property
    def offered(self) -> float:
        """Summaries asked for, a second."""
        return self.asked / self.seconds

    @property
    def goodput(self) -> float:
        """Answers as asked, in time, a second."""
        return self.shares.goodput * self.offered

    @property
    def generated(self) -> float:
        """Answers as asked, a second, in time or not."""
        return (self.outcomes.get(GOOD, 0) + self.outcomes.get(SLOW, 0)) / self.seconds


def summarize(results: Sequence[Result], seconds: float, limits: Limits) -> Summary:
    """Of at least one result."""
    outcomes = Counter((GOOD if limits.keeps(result) else SLOW) if result.ok else result.outcome for result in results)
    answered = [result for result in results if result.answered]
    asked = len(results)
    return Summary(
        seconds=seconds,
        asked=asked,
        streams=sum(result.kind == "stream" for result in results),
        outcomes=dict(outcomes.most_common()),
        shares=Shares(
            errors=1 - len(answered) / asked,
            fallbacks=outcomes[EXTRACTIVE] / asked,
            goodput=outcomes[GOOD] / asked,
            cache_hits=sum(result.cached for result in results) / asked,
        ),
        e2el=_distribution([result.e2el for result in answered]),
        ttft=_distribution([result.ttft for result in answered]),
        itl=_distribution([result.itl for result in answered]),
        send_lag=Distribution.of([result.send_lag for result in results]),
        lagged=sum(result.send_lag > LAG_SECONDS for result in results),
    )


def _distribution(seconds: Sequence[float | None]) -> Distribution | None:
    values = [value for value in seconds if value is not None]
    return Distribution.of(values) if values else None
