"""Rows for the validation of choices, drawn by document from training rows, and the training rows that this costs.

A third of the answerable rows is answered by several sentences; a third by one that is not BM25's best; a third by the
one that is. Of each source as many rows are drawn as its quota says, in an order that depends on the seed alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

from querygist.errors import ConfigurationError
from querygist.evaluation.sentences import used
from training.data.choice_rows import ChoiceRow, clean
from training.data.deduplication import Runs
from training.data.sentence_bm25 import ranked
from training.stable_random import draw

Stratum = Literal["several", "missed", "found", "unanswerable"]
ANSWERABLE: tuple[Stratum, ...] = get_args(Stratum)[:-1]

_FEWEST_SENTENCES = 3  # of two, half of all guesses are right
_FEWEST_WORDS = 5  # shorter answers are fragments
_MOST_SHARING = (
    12  # documents of overlapping sections of a page that everyone asks about: they would cost training half
)


@dataclass(frozen=True, slots=True)
class Selection:
    """`rows`: the stratum of each chosen row, by id. `excluded`: ids of further rows that are no training rows now."""

    rows: Mapping[str, Stratum]
    excluded: tuple[str, ...]


def select(
    rows: Sequence[ChoiceRow],
    *,
    answerable: Mapping[str, int],
    unanswerable: Mapping[str, int],
    others: Sequence[str],
    seed: int,
) -> Selection:
    """Draw as many training rows of each source as the quotas say, no two of documents that share 13 words in a row.

    `others` are documents that are tested or validated by already: nothing of theirs is drawn. Raises
    ConfigurationError when there are not enough rows.
    """
    rows = [row for row in rows if row.split in {"train", None}]
    shared = _SharedDocuments(rows, others)
    chosen: dict[str, Stratum] = {}
    taken: set[str] = set()
    for quotas, strata in ((answerable, ANSWERABLE), (unanswerable, ("unanswerable",))):
        pools = {
            source: _shuffled(
                (
                    row
                    for row in rows
                    if row.split and row.source == source and row.answerable is (strata is ANSWERABLE)
                ),
                seed,
            )
            for source in quotas
        }
        for row, stratum in _dealt(pools, quotas, strata, shared, taken):
            chosen[row.id] = stratum
    excluded = (row.id for row in rows if row.document in taken and row.id not in chosen)
    return Selection(dict(sorted(chosen.items())), tuple(sorted(excluded)))


class _SharedDocuments:
    """Documents that have a run of 13 words in common."""

    def __init__(self, rows: Sequence[ChoiceRow], others: Sequence[str]) -> None:
        self._runs = Runs()
        self._holders: dict[int, list[str]] = defaultdict(list)
        for document in dict.fromkeys(row.document for row in rows):
            for run in self._runs.of(document).tolist():
                self._holders[run].append(document)
        self._others = {run for document in dict.fromkeys(others) for run in self._runs.of(document).tolist()}

    def with_others(self, document: str) -> bool:
        """Return whether a test or validation document shares words with this one."""
        return not self._others.isdisjoint(self._runs.of(document).tolist())

    def of(self, document: str) -> set[str]:
        """Return this document and those that share words with it."""
        return {holder for run in self._runs.of(document).tolist() for holder in self._holders[run]}


def _shuffled(rows: Iterable[ChoiceRow], seed: int) -> Iterator[ChoiceRow]:
    return iter(sorted(rows, key=lambda row: draw(seed, "choices", row.id)))


def stratum_of(row: ChoiceRow) -> Stratum | None:
    """Return the stratum of a row; None of one that is no choice, as no sentence or nearly every one is the answer."""
    seen = clean(row)
    sentences, order = ranked(seen.document, seen.query)
    if len(sentences) < _FEWEST_SENTENCES:
        return None
    if not row.answerable:
        return "unanswerable"
    wanted = used(seen.document, sentences, seen.references[0])
    if not 0 < len(wanted) < len(sentences) or len(row.summary.split()) < _FEWEST_WORDS:
        return None
    if len(wanted) > 1:
        return "several"
    return "found" if order and order[0] in wanted else "missed"


def _dealt(
    pools: Mapping[str, Iterator[ChoiceRow]],
    quotas: Mapping[str, int],
    strata: Sequence[Stratum],
    shared: _SharedDocuments,
    taken: set[str],
) -> Iterator[tuple[ChoiceRow, Stratum]]:
    """Yield rows from the source that has the least of its quota, of strata that are not full; note `taken`."""
    of_source: Counter[str] = Counter()
    of_stratum: Counter[Stratum] = Counter()
    room = ceil(sum(quotas.values()) / len(strata))
    while wanting := [source for source in quotas if of_source[source] < quotas[source]]:
        source = min(wanting, key=lambda one: (of_source[one] / quotas[one], one))
        for row in pools[source]:
            stratum = stratum_of(row)
            if stratum is None or stratum not in strata or of_stratum[stratum] == room:
                continue
            sharing = shared.of(row.document)
            if sharing.isdisjoint(taken) and len(sharing) <= _MOST_SHARING and not shared.with_others(row.document):
                yield row, stratum
                taken |= sharing
                of_source[source] += 1
                of_stratum[stratum] += 1
                break
        else:
            raise ConfigurationError(f"{source} has no {quotas[source]} rows to choose by: lower its quota.")
