"""Preference pairs: two summaries of one document for one query, of which people, or a measure, prefer one.

Whatever the origin, a pair is dropped that would teach something else than what to say: its sides differ hardly, or
mainly in length, or the preferred one is not faithful to the document (clickbait is preferred as well).
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from querygist.errors import ConfigurationError, UnprocessableText
from querygist.files import replacing
from querygist.pipeline.attribution import ground
from querygist.text.cleaning import CleanDocument, clean_document
from training.data.build_examples import MOST_WORDS, requested_words
from training.data.deduplication import folded_words
from training.generate.unsupported_facts import unsupported_facts
from training.sections import PairRules

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
class Sifted:
    """The pairs that are left, and how many were dropped for which reason."""

    pairs: list[Pair]
    dropped: Counter[str]


def write(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a JSONL file; it is there as a whole or not at all."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")


def read(path: Path) -> list[Pair]:
    """The pairs of a file that `write` wrote. Raises ConfigurationError when it is not there or not such a file."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [Pair(**json.loads(line)) for line in lines if line]
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}. Run the preferences stage first.") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is not what the preferences stage writes ({error}). Run the preferences stage."
        ) from error


def sift(pairs: Iterable[Pair], rules: PairRules) -> Sifted:
    """Keep the pairs that no rule objects to; the others are counted by the first rule that does."""
    kept: list[Pair] = []
    dropped: Counter[str] = Counter()
    for pair in pairs:
        if (reason := objection(pair, rules)) is None:
            kept.append(pair)
        else:
            dropped[reason] += 1
    return Sifted(kept, dropped)


def objection(pair: Pair, rules: PairRules) -> str | None:
    """Why a pair should not be learned from; None when it should."""
    if alike(pair.chosen, pair.rejected) > rules.most_alike:
        return "near-duplicates"
    shorter, longer = sorted(len(text.split()) for text in (pair.chosen, pair.rejected))
    if longer > rules.longest_ratio * shorter:
        return "lengths too far apart"
    if len(pair.chosen.split()) > MOST_WORDS:
        return "chosen longer than may be asked for"
    if ground(pair.chosen, CleanDocument(pair.document, source=pair.document)).copied < rules.least_copied:
        return "chosen copies too little"
    if unsupported_facts(pair.chosen, pair.document):
        return "chosen has invented numbers or names"
    return None


def alike(one: str, other: str) -> float:
    """How much of two texts is the same, 0 to 1: Dice's coefficient of their pairs of neighbouring words.

    A pair counts as often as it occurs, case and punctuation not at all. Beginning and end of a text are paired with
    its first and last word, so that one word will do.
    """
    first, second = (_word_pairs(text) for text in (one, other))
    return 2 * (first & second).total() / (first.total() + second.total())


def _word_pairs(text: str) -> Counter[tuple[str, str]]:
    folded = ["", *folded_words(text), ""]
    return Counter(pairwise(folded))


def length_asked_for(chosen: str, rejected: str, seed: int, pair_id: str) -> int:
    """`max_words` that both sides obey, so that the pair does not teach to disobey, nor that shorter is better."""
    return requested_words(max(chosen, rejected, key=lambda text: len(text.split())), seed, pair_id)


def clean(field: str, text: str) -> str:
    """A summary or document of a file. Raises ValueError that names the field and never quotes it."""
    try:
        return clean_document(text, content_type="text/plain").text
    except UnprocessableText as error:
        raise ValueError(f"{field}: {error.detail.replace('The document', f'The {field}')}") from error
