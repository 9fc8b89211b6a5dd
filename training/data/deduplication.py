"""Rows that are there twice, and test documents that leak into training.

Two documents share text when they have a run of 13 words in common, the length that GPT-3's authors compared training
and test data by (Brown et al. 2020, appendix C); of a shorter document, all its words. Words are compared without case
and punctuation. Each run is hashed to 64 bits; what a hash finds is compared word by word.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from querygist.errors import ConfigurationError
from querygist.text.sentences import words
from training.data.raw_dataset import Row

RUN = 13
_MOST_SHOWN = 20

Hashes = NDArray[np.int64]


def folded_words(text: str) -> list[str]:
    """Return the words to compare by."""
    return [text[start:end].casefold() for start, end in words(text)]


def without_duplicates(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return rows with a query and document of their own in their split, and those that repeat one before them."""
    seen: set[tuple[str, tuple[str, ...], tuple[str, ...]]] = set()
    kept: list[Row] = []
    repeated: list[Row] = []
    for row in rows:
        key = (row.split, tuple(folded_words(row.query)), tuple(folded_words(row.document)))
        (repeated if key in seen else kept).append(row)
        seen.add(key)
    return kept, repeated


class Runs:
    """The 13-word runs of documents, hashed. One object for all documents that are to be compared."""

    def __init__(self) -> None:
        self._runs: dict[str, Hashes] = {}

    def of(self, document: str) -> Hashes:
        """Return sorted hashes of the runs, each once."""
        if document not in self._runs:
            self._runs[document] = np.unique(self.sequence(document))
        return self._runs[document]

    def sequence(self, document: str) -> Hashes:
        """Return the hash of each run, in order of place; they hold within this process."""
        return np.array([hash(run) for run in _runs(document)], dtype=np.int64)

    def share(self, one: str, other: str) -> bool:
        """Return whether two documents have a run in common."""
        return bool(np.isin(self.of(one), self.of(other), assume_unique=True).any())


@dataclass(frozen=True, slots=True)
class Leak:
    """A document for training or validation that shares words with a test document: ids of rows that have them."""

    seen: str
    test: str


def leaks(seen: Sequence[Row], test: Sequence[Row], runs: Runs) -> list[Leak]:
    """Return one leak for each document of `seen` that shares a run with a document of `test`."""
    owners = {row.document: row.id for row in reversed(test)}
    holders: dict[int, list[str]] = defaultdict(list)
    for document in owners:
        for run in runs.of(document).tolist():
            holders[run].append(document)
    found: list[Leak] = []
    for document, id_ in {row.document: row.id for row in reversed(seen)}.items():
        suspects = dict.fromkeys(owner for run in runs.of(document).tolist() for owner in holders.get(run, ()))
        own = set(_runs(document)) if suspects else set()
        leaked = next((suspect for suspect in suspects if not own.isdisjoint(_runs(suspect))), None)
        if leaked is not None:
            found.append(Leak(id_, owners[leaked]))
    return found


def _runs(document: str) -> list[tuple[str, ...]]:
    """Return each run of words; of a document that is shorter, all its words."""
    folded = folded_words(document)
    return [tuple(folded[start : start + RUN]) for start in range(max(1, len(folded) - RUN + 1))] if folded else []


def raise_for_leaks(found: Sequence[Leak]) -> None:
    """Raise ConfigurationError, naming the ids of both sides, when there is a leak."""
    if found:
        shown = "\n".join(
            f"{leak.seen} (training or validation) and {leak.test} (test)" for leak in found[:_MOST_SHOWN]
        )
        more = f"\nand {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise ConfigurationError(
            f"{len(found)} documents share {RUN} words in a row with a test document, so the test would measure "
            f"memory. Remove one side of each:\n{shown}{more}"
        )
