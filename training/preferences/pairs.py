"""Preference pairs: two summaries of one document for one query, of which people, or a measure, prefer one.

Whatever the origin, a pair is dropped that would teach something else than what to say: its sides differ hardly, or
mainly in length, or the preferred one is not faithful to the document (clickbait is preferred as well).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument
from training.config import PairRules
from training.data.build_examples import MOST_WORDS, requested_words
from training.data.deduplication import folded_words
from training.data.jsonl import read_jsonl, write_jsonl
from training.generate.unsupported_facts import unsupported_facts

Origin = Literal["judged", "clicks", "sampled"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference. All texts are clean, as `text.cleaning` makes them; `max_words` is what the prompt asks for.

    `origin`: people compared the two, the clicks of an A/B test did, or both are the student's own samples.
    `derived`: no person preferred one; a measure did.
    """

    id: str
    query: str
    document: str
    max_words: int
    chosen: str
    rejected: str
    origin: Origin
    derived: bool


@dataclass(frozen=True, slots=True)
class FilterResult:
    """Pairs that are left, and how many were dropped for which reason."""

    pairs: list[Pair]
    dropped: Counter[str]


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a JSONL file; it is there as a whole or not at all."""
    write_jsonl(path, map(asdict, pairs))


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file that `write_pairs` wrote. Raises ConfigurationError when it is none."""
    return read_jsonl(path, lambda fields: Pair(**fields), "preferences")


def filter_pairs(pairs: Iterable[Pair], rules: PairRules) -> FilterResult:
    """Keep the pairs that no rule objects to; the others are counted by the first rule that does."""
    reasons = [(pair, objection(pair, rules)) for pair in pairs]
    kept = [pair for pair, reason in reasons if reason is None]
    return FilterResult(kept, Counter(reason for _, reason in reasons if reason is not None))


def objection(pair: Pair, rules: PairRules) -> str | None:
    """Return why a pair should not be learned from; None when it should."""
    if bigram_overlap(pair.chosen, pair.rejected) > rules.max_bigram_overlap:
        return "near-duplicates"
    shorter, longer = sorted(len(text.split()) for text in (pair.chosen, pair.rejected))
    if longer > rules.max_length_ratio * shorter:
        return "lengths too far apart"
    if len(pair.chosen.split()) > MOST_WORDS:
        return "chosen longer than may be asked for"
    if attribute(pair.chosen, CleanDocument(pair.document, source=pair.document)).copied < rules.min_copied:
        return "chosen copies too little"
    if unsupported_facts(pair.chosen, pair.document):
        return "chosen has invented numbers or names"
    return None


def bigram_overlap(one: str, other: str) -> float:
    """Return how much of two texts is the same, 0 to 1: Dice's coefficient of their pairs of neighbouring words.

    A pair counts as often as it occurs, case and punctuation not at all. Beginning and end of a text are paired with
    its first and last word, so that one word will do.
    """
    first, second = (_word_pairs(text) for text in (one, other))
    return 2 * (first & second).total() / (first.total() + second.total())


def _word_pairs(text: str) -> Counter[tuple[str, str]]:
    folded = ["", *folded_words(text), ""]
    return Counter(pairwise(folded))


def requested_words_of(chosen: str, rejected: str, seed: int, pair_id: str) -> int:
    """Return `max_words` that both sides obey: the pair teaches neither to disobey, nor that shorter is better."""
    return requested_words(max(chosen, rejected, key=lambda text: len(text.split())), seed, pair_id)
