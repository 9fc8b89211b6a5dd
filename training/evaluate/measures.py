"""Measures of each output, and their means by source and over all of them.

Quality is that of positives, the examples whose document answers the query. One that is refused scores ROUGE 0; it has
no length and copies nothing, and would flatter those means, so they are taken over the answered ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from querygist.evaluation.rouge import NOTHING, Interval, Rouge, difference, interval, score
from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument
from training.data.examples import Example, Kind
from training.generate.generator import Generated
from training.generate.unsupported_facts import unsupported_facts

OVERALL = "all"
"""The name of all sources together, every example counting the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One output. `rouge`: of positives only. `reference_words`: the mean of what people wrote.

    `compression`: words of the output for each word of the document. `copied`: share of its bigrams that stand in the
    document. `invented`: numbers and names in it that do not. Lengths are in words, as `len(text.split())` counts them.
    """

    id: str
    source: str
    kind: Kind
    answered: bool
    rouge: Rouge | None
    requested: int
    reference_words: float
    words: int
    compression: float
    copied: float
    invented: int
    tokens: int
    passes: int | None
    seconds: float | None


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
    def of(cls, scores: Sequence[Rouge], minus: Sequence[Rouge] | None = None, *, seed: int) -> Self:
        """Means of `scores`, or of their differences from `minus`, the other system's for the same examples."""
        found = [(one.rouge1, one.rouge2, one.rouge_l) for one in scores]
        if minus is None:
            return cls(*(interval(each, seed=seed) for each in zip(*found, strict=True)))
        other = [(one.rouge1, one.rouge2, one.rouge_l) for one in minus]
        pairs = zip(zip(*found, strict=True), zip(*other, strict=True), strict=True)
        return cls(*(difference(ours, theirs, seed=seed) for ours, theirs in pairs))


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the positives. Of the answered ones only: `words`, `compression`, `copied`, `obedience` (words given for each
    word asked for), and the shares that invented something or gave more words than asked for (`over`).
    """

    rows: int
    rouge: RougeMeans
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


def measure(example: Example, generated: Generated) -> Measured:
    """Measure one output."""
    references = example.references or (example.summary,)
    text = generated.text if generated.answerable else ""
    document = CleanDocument(example.document, source=example.document)
    words = len(text.split())
    rouge = None
    if example.kind == "positive":
        rouge = score(text, references) if text else NOTHING
    return Measured(
        id=example.id,
        source=example.source,
        kind=example.kind,
        answered=generated.answerable,
        rouge=rouge,
        requested=example.max_words,
        reference_words=sum(len(reference.split()) for reference in references) / len(references),
        words=words,
        compression=words / len(example.document.split()),
        copied=attribute(text, document).copied,
        invented=0
        if text in example.document
        else len(unsupported_facts(text, example.document)),  # the whole document is slow
        tokens=generated.tokens,
        passes=generated.passes,
        seconds=generated.seconds,
    )


def aggregate(found: Sequence[Measured], *, seed: int) -> dict[str, Aggregate]:
    """By source, in order of their names, and `OVERALL` last."""
    return {
        source: Aggregate(_quality(of_it, seed), refusals(of_it), _speed(of_it))
        for source, of_it in _by_source(found).items()
    }


def differences(found: Sequence[Measured], other: Sequence[Measured], *, seed: int) -> dict[str, RougeMeans]:
    """ROUGE of `found` minus that of `other`, by source as in `aggregate`, on the positives that both wrote for."""
    scores = {one.id: one.rouge for one in other}
    compared = {}
    for source, of_it in _by_source(found).items():
        pairs = [(one.rouge, theirs) for one in of_it if one.rouge and (theirs := scores.get(one.id))]
        if pairs:
            compared[source] = RougeMeans.of([a for a, _ in pairs], [b for _, b in pairs], seed=seed)
    return compared


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


def _by_source(found: Sequence[Measured]) -> Mapping[str, Sequence[Measured]]:
    sources = sorted({one.source for one in found})
    return {source: [one for one in found if one.source == source] for source in sources} | {OVERALL: found}


def _quality(found: Sequence[Measured], seed: int) -> Quality | None:
    positives = [one for one in found if one.kind == "positive"]
    scores = [one.rouge for one in positives if one.rouge]
    if not scores:
        return None
    answered = [one for one in positives if one.answered]

    def mean(measure: Callable[[Measured], float]) -> Interval | None:
        return interval([measure(one) for one in answered], seed=seed) if answered else None

    return Quality(
        rows=len(positives),
        rouge=RougeMeans.of(scores, seed=seed),
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
