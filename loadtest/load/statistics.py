"""What a run, or a part of it, amounts to. The unit is the summary: a results page asks for ten."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, PositiveFloat
from pydantic.dataclasses import dataclass as checked

from loadtest.load.distribution import Distribution
from loadtest.load.results import EXTRACTIVE, GENERATIVE, Sample

LATE_SECONDS = 0.05
"""A request that is sent later than this after its moment is a late start."""

GOOD = "in time"
SLOW = "by the model, too late"


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Limits:
    """When an answer by the model is good: seconds from the intended moment, to the whole answer and, in a stream, to
    the first text. None: no limit."""

    end_to_end: PositiveFloat | None = None
    first_token: PositiveFloat | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What tells the service to keep them."""
        limits = {"X-Deadline-Ms": self.end_to_end, "X-First-Text-Ms": self.first_token}
        return {name: str(max(1, round(1000 * limit))) for name, limit in limits.items() if limit is not None}

    def keeps(self, sample: Sample) -> bool:
        """Whether the model answered, and in time."""
        return sample.outcome == GENERATIVE and all(
            limit is None or taken is None or taken <= limit
            for taken, limit in ((sample.latency, self.end_to_end), (sample.first_token, self.first_token))
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the summaries asked for: not answered at all, answered by the extract, by the model in time, from memory."""

    errors: float
    fallbacks: float
    goodput: float
    cache_hits: float


@dataclass(frozen=True, slots=True)
class Summary:
    """`asked` summaries in `seconds`. `outcomes` has answers by the model that were good apart from those that were
    not. Latencies are of answers, None where there is none; `streams` is how many were asked for as streams."""

    seconds: float
    asked: int
    streams: int
    outcomes: Mapping[str, int]
    shares: Shares
    end_to_end: Distribution | None
    first_token: Distribution | None
    inter_token: Distribution | None
    late: Distribution
    late_starts: int

    @property
    def offered(self) -> float:
        """Summaries asked for, a second."""
        return self.asked / self.seconds

    @property
    def goodput(self) -> float:
        """Answers by the model in time, a second."""
        return self.shares.goodput * self.offered

    @property
    def generated(self) -> float:
        """Answers by the model, a second, in time or not."""
        return (self.outcomes.get(GOOD, 0) + self.outcomes.get(SLOW, 0)) / self.seconds


def summarize(samples: Sequence[Sample], seconds: float, limits: Limits) -> Summary:
    """Of at least one sample."""
    outcomes = Counter(_outcome(sample, limits) for sample in samples)
    answered = [sample for sample in samples if sample.answered]
    asked = len(samples)
    return Summary(
        seconds=seconds,
        asked=asked,
        streams=sum(sample.kind == "stream" for sample in samples),
        outcomes=dict(outcomes.most_common()),
        shares=Shares(
            errors=1 - len(answered) / asked,
            fallbacks=outcomes[EXTRACTIVE] / asked,
            goodput=outcomes[GOOD] / asked,
            cache_hits=sum(sample.cached for sample in samples) / asked,
        ),
        end_to_end=_distribution(answered, lambda sample: sample.latency),
        first_token=_distribution(answered, lambda sample: sample.first_token),
        inter_token=_distribution(answered, lambda sample: sample.inter_token),
        late=Distribution.of([sample.late for sample in samples]),
        late_starts=sum(sample.late > LATE_SECONDS for sample in samples),
    )


def _outcome(sample: Sample, limits: Limits) -> str:
    if sample.outcome != GENERATIVE:
        return sample.outcome
    return GOOD if limits.keeps(sample) else SLOW


def _distribution(samples: Sequence[Sample], of: Callable[[Sample], float | None]) -> Distribution | None:
    values = [value for value in map(of, samples) if value is not None]
    return Distribution.of(values) if values else None
