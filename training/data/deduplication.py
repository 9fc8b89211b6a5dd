"""Rows that are there twice, and test documents that leak into training.

Two documents share text when they have a run of 13 words in common, the length that GPT-3's authors compared training
and test data by (Brown et al. 2020, appendix C); of a shorter document, all its words. Words are compared without case
and punctuation. Each run is hashed to 64 bits in numpy; what a hash finds is compared word by word.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from querygist.errors import ConfigurationError
from querygist.text.sentences import words
from training.data.raw_dataset import Row

RUN = 13
_MOST_SHOWN = 20

Hashes = NDArray[np.uint64]


def folded_words(text: str) -> list[str]:
    """The words to compare by."""
    return [text[start:end].casefold() for start, end in words(text)]


def without_duplicates(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Rows with a query and document of their own in their split, and those that repeat one before them."""
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
        self._numbers: dict[str, int] = {}
        self._runs: dict[str, Hashes] = {}
        # Odd multipliers: a word changes the sum by its number times one of them, and odd ones lose no bit of it.
        self._factors = np.random.default_rng(0).integers(1 << 63, size=RUN, dtype=np.uint64) * np.uint64(
            2
        ) + np.uint64(1)

    def of(self, document: str) -> Hashes:
        """Sorted hashes of the runs, each once."""
        if document not in self._runs:
            self._runs[document] = np.unique(self.sequence(document))
        return self._runs[document]

    def sequence(self, document: str) -> Hashes:
        """The hash of each run, in order of place."""
        folded = folded_words(document)
        numbers = np.array([self._numbers.setdefault(word, len(self._numbers) + 1) for word in folded], dtype=np.uint64)
        if len(numbers) == 0:
            return numbers
        mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        width = min(RUN, len(numbers))
        windows = np.lib.stride_tricks.sliding_window_view(mixed, width)
        hashes: Hashes = (windows * self._factors[:width]).sum(axis=1, dtype=np.uint64) ^ np.uint64(width << 58)
        return hashes

    def share(self, one: str, other: str) -> bool:
        """Whether two documents have a run in common."""
        return bool(np.isin(self.of(one), self.of(other), assume_unique=True).any())


@dataclass(frozen=True, slots=True)
class Leak:
    """A document for training or validation that shares words with a test document: ids of rows that have them."""

    seen: str
    test: str


def leaks(seen: Sequence[Row], test: Sequence[Row], runs: Runs) -> list[Leak]:
    """One leak for each document of `seen` that shares a run with a document of `test`."""
    owners = {row.document: row.id for row in reversed(test)}
    if not owners:
        return []
    documents = list(owners)
    hashes = np.concatenate([runs.of(document) for document in documents])
    holders = np.repeat(np.arange(len(documents)), [len(runs.of(document)) for document in documents])
    order = np.argsort(hashes, kind="stable")
    hashes, holders = hashes[order], holders[order]
    found: list[Leak] = []
    for document, id_ in {row.document: row.id for row in reversed(seen)}.items():
        own = runs.of(document)
        places = np.searchsorted(hashes, own)
        hits = places[(places < len(hashes)) & (hashes[np.minimum(places, len(hashes) - 1)] == own)]
        suspects = dict.fromkeys(documents[holder] for holder in holders[hits])
        leaked = next((suspect for suspect in suspects if _share_words(document, suspect)), None)
        if leaked is not None:
            found.append(Leak(id_, owners[leaked]))
    return found


def _share_words(one: str, other: str) -> bool:
    """The exact comparison behind a hash that matched."""
    first, second = (folded_words(text) for text in (one, other))
    runs = {tuple(first[i : i + RUN]) for i in range(max(1, len(first) - RUN + 1))}
    return any(tuple(second[i : i + RUN]) in runs for i in range(max(1, len(second) - RUN + 1)))


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
