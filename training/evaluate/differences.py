"""Differences between systems that wrote for the same examples, and of each from the best control row."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from querygist.evaluation.rouge import Interval, interval
from training.evaluate.means import RougeMeans, by_source, clusters
from training.evaluate.measures import Measured

Pair = tuple[Measured, Measured]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one system from another, on the positives that both answered or refused. `sentence_f1`: where it is known."""

    rouge: RougeMeans
    sentence_f1: Interval | None


@dataclass(frozen=True, slots=True)
class FromControl:
    """The difference from a control row, and which one that is."""

    control: str
    difference: Difference


def differences(found: Sequence[Measured], other: Sequence[Measured], *, seed: int) -> dict[str, Difference]:
    """Scores of `found` minus those of `other`, by source as in `aggregate`, on the positives that both wrote for."""
    paired = {source: _paired(of_it, other) for source, of_it in by_source(found).items()}
    return {source: _difference(pairs, seed) for source, pairs in paired.items() if pairs}


def from_best_control(
    systems: Mapping[str, Sequence[Measured]], controls: Collection[str], *, seed: int
) -> dict[str, dict[str, FromControl]]:
    """Differences by system and source from the control row that is best there by ROUGE-2; the best row has none.

    The best of several is a harder mark than any one of them: chance helps it, never the system.
    """
    found: dict[str, dict[str, FromControl]] = {name: {} for name in systems}
    for source, best in _best_controls(systems, controls).items():
        for name, measured in systems.items():
            pairs = _paired(by_source(measured).get(source, ()), systems[best])
            if name != best and pairs:
                found[name][source] = FromControl(best, _difference(pairs, seed))
    return found


def _best_controls(systems: Mapping[str, Sequence[Measured]], controls: Collection[str]) -> dict[str, str]:
    """Return the name of the best control row by source; of equals the first."""
    best: dict[str, tuple[float, str]] = {}
    for name, measured in systems.items():
        for source, of_it in by_source(measured).items() if name in controls else ():
            scores = [one.rouge.rouge2 for one in of_it if one.rouge]
            if scores and (source not in best or fmean(scores) > best[source][0]):
                best[source] = fmean(scores), name
    return {source: name for source, (_, name) in best.items()}


def _paired(found: Sequence[Measured], other: Sequence[Measured]) -> list[Pair]:
    """Return the positives that both wrote for, with both measures."""
    others = {one.id: one for one in other if one.rouge}
    return [(one, others[one.id]) for one in found if one.rouge and one.id in others]


def _difference(pairs: Sequence[Pair], seed: int) -> Difference:
    def mean(score: Callable[[Measured], float], of: Sequence[Pair]) -> Interval:
        return interval([score(a) - score(b) for a, b in of], seed=seed, clusters=clusters([a for a, _ in of]))

    rouge = RougeMeans(*(mean(partial(_rouge, name), pairs) for name in ("rouge1", "rouge2", "rouge_l")))
    scored = [(a, b) for a, b in pairs if a.sentences and b.sentences]
    return Difference(rouge, mean(_sentence_f1, scored) if scored else None)


def _rouge(name: str, one: Measured) -> float:
    return float(getattr(one.rouge, name))


def _sentence_f1(one: Measured) -> float:
    return one.sentences.f1 if one.sentences else 0.0
