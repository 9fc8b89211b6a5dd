"""Means of what was measured, by source and over all of them.

Quality is that of positives, the examples whose document answers the query. One that is refused scores ROUGE 0; it has
no length and copies nothing, and would flatter those means, so they are taken over the answered ones. Intervals draw
the examples of one query together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from querygist.evaluation.rouge import Interval, interval
from training.evaluate.measures import Measured

OVERALL = "all"
"""The name of all sources together, every example counting the same."""


@dataclass(frozen=True, slots=True)
class Share:
    """A count out of a number of rows. `share`: 0 to 1, None of none."""

    count: int
    rows: int
    share: float | None

    @classmethod
    def of(cls, flags: Iterable[bool]) -> Self:
        """Count those that are true."""
        found = list(flags)
        return cls(sum(found), len(found), sum(found) / len(found) if found else None)


@dataclass(frozen=True, slots=True)
class RougeMeans:
    """Means of ROUGE, or of differences between two systems in ROUGE."""

    rouge1: Interval
    rouge2: Interval
    rouge_l: Interval

    @classmethod
    def of(cls, found: Sequence[Measured], *, seed: int) -> Self:
        """Means of at least one positive's scores."""
        values = [(one.rouge.rouge1, one.rouge.rouge2, one.rouge.rouge_l) for one in found if one.rouge]
        return cls(*(interval(each, seed=seed, clusters=clusters(found)) for each in zip(*values, strict=True)))


@dataclass(frozen=True, slots=True)
class SentenceMeans:
    """Means of precision, recall and F1 of the document's sentences, by what people's answers are made of."""

    precision: Interval
    recall: Interval
    f1: Interval

    @classmethod
    def of(cls, found: Sequence[Measured], *, seed: int) -> Self | None:
        """Means of those that have such scores; None where none has."""
        scored = [one for one in found if one.sentences]
        values = [(one.sentences.precision, one.sentences.recall, one.sentences.f1) for one in scored if one.sentences]
        if not values:
            return None
        return cls(*(interval(each, seed=seed, clusters=clusters(scored)) for each in zip(*values, strict=True)))


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the positives. Of the answered ones only: `words`, `compression`, `copied`, `obedience` (words given for each
    word asked for), and the shares that invented something or gave more words than asked for (`over`).
    """

    rows: int
    rouge: RougeMeans
    sentences: SentenceMeans | None
    requested: float
    reference_words: float
    words: Interval | None
    compression: Interval | None
    copied: Interval | None
    obedience: Interval | None
    invented: Share
    over: Share


@dataclass(frozen=True, slots=True)
class Refusals:
    """Shares refused of each kind; of positives that is wrong. Precision, recall and F1 are those of "answerable".

    Precision follows from how many positives there are for each negative: it is None where there are no negatives.
    """

    unrelated: Share
    hard: Share
    positive: Share
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """`step_compression`: tokens for each forward pass, of the outputs that know it. Seconds are of those timed."""

    tokens: int
    passes: int
    step_compression: float | None
    timed: int
    p50_seconds: float | None
    p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The means of outputs; `quality` is None where there are no positives."""

    quality: Quality | None
    refusals: Refusals
    speed: Speed


def aggregate(found: Sequence[Measured], *, seed: int) -> dict[str, Aggregate]:
    """By source, in order of their names, and `OVERALL` last."""
    return {
        source: Aggregate(_quality(of_it, seed), refusals(of_it), _speed(of_it))
        for source, of_it in by_source(found).items()
    }


def refusals(found: Sequence[Measured]) -> Refusals:
    """Shares refused by kind; precision, recall and F1 of "answerable"."""
    refused = {
        kind: Share.of(not one.answered for one in found if one.kind == kind)
        for kind in ("unrelated", "hard", "positive")
    }
    right = Share.of(one.kind == "positive" for one in found if one.answered)
    kept = Share.of(one.answered for one in found if one.kind == "positive")
    negatives = refused["unrelated"].rows + refused["hard"].rows
    precision, recall = right.share if negatives else None, kept.share
    f1 = None
    if precision is not None and recall is not None:
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Refusals(refused["unrelated"], refused["hard"], refused["positive"], precision, recall, f1)


def clusters(found: Sequence[Measured]) -> list[str]:
    """Return the cluster of each, for intervals."""
    return [one.cluster for one in found]


def by_source(found: Sequence[Measured]) -> Mapping[str, Sequence[Measured]]:
    """Return the examples of each source, and all of them."""
    sources = sorted({one.source for one in found})
    return {source: [one for one in found if one.source == source] for source in sources} | {OVERALL: found}


def _quality(found: Sequence[Measured], seed: int) -> Quality | None:
    positives = [one for one in found if one.kind == "positive"]
    if not positives:
        return None
    answered = [one for one in positives if one.answered]

    def mean(measure: Callable[[Measured], float]) -> Interval | None:
        values = [measure(one) for one in answered]
        return interval(values, seed=seed, clusters=clusters(answered)) if answered else None

    return Quality(
        rows=len(positives),
        rouge=RougeMeans.of(positives, seed=seed),
        sentences=SentenceMeans.of(positives, seed=seed),
        requested=float(np.mean([one.requested for one in positives])),
        reference_words=float(np.mean([one.reference_words for one in positives])),
        words=mean(lambda one: one.words),
        compression=mean(lambda one: one.compression),
        copied=mean(lambda one: one.copied),
        obedience=mean(lambda one: one.words / one.requested),
        invented=Share.of(one.invented > 0 for one in answered),
        over=Share.of(one.words > one.requested for one in answered),
    )


def _speed(found: Sequence[Measured]) -> Speed:
    counted = [(one.tokens, one.passes) for one in found if one.passes]
    passes = sum(passes for _, passes in counted)
    seconds = [one.seconds for one in found if one.seconds is not None]
    p50, p95 = np.percentile(seconds, (50, 95)).tolist() if seconds else (None, None)
    return Speed(
        tokens=sum(one.tokens for one in found),
        passes=passes,
        step_compression=sum(tokens for tokens, _ in counted) / passes if passes else None,
        timed=len(seconds),
        p50_seconds=p50,
        p95_seconds=p95,
    )
