"""Preference pairs from people who compared two summaries: JSONL with id, query, document, chosen, rejected, source
and margin.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from querygist.errors import ConfigurationError, UnprocessableText
from querygist.text.cleaning import clean_query
from training.config import PairRules
from training.data.raw_dataset import Text, raise_for_bad_rows, validated
from training.preferences.pairs import FilterResult, Pair, clean, length_asked_for, sift


class _Line(BaseModel):
    """One line of a file. `margin`: how clear the preference was, in the source's own measure."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    query: Text
    document: Text
    chosen: Text
    rejected: Text
    source: Text
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)]


def read(files: Sequence[Path], *, seed: int) -> list[Pair]:
    """All pairs, in the files' order, clean. `seed` draws the length that is asked for.

    Raises ConfigurationError with one line for each bad row (file:line, field, what is wrong) after all rows have been
    looked at.
    """
    pairs: list[Pair] = []
    wrong: list[str] = []
    places: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(_text(file).split("\n"), 1):
            if not line.strip():
                continue
            place = f"{file}:{number}"
            try:
                pair = _parse(line, seed)
                if pair.id in places:
                    raise ValueError(f"id: {pair.id} is the id of {places[pair.id]} as well")
            except ValueError as error:
                wrong.append(f"{place}: {error}")
                continue
            places[pair.id] = place
            pairs.append(pair)
    raise_for_bad_rows(wrong, len(wrong) + len(pairs))
    return pairs


def clear_pairs(judged: Sequence[Pair], rules: PairRules) -> FilterResult:
    """The pairs of which no other says the opposite, and which the rules let pass."""
    said = {(pair.query, pair.document, pair.chosen, pair.rejected) for pair in judged}
    agreed = [pair for pair in judged if (pair.query, pair.document, pair.rejected, pair.chosen) not in said]
    sifted = sift(agreed, rules)
    if len(agreed) < len(judged):
        sifted.dropped["people disagree"] += len(judged) - len(agreed)
    return sifted


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"Cannot read the judgements {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The judgements {file} are not UTF-8 (byte {error.start}).") from error


def _parse(line: str, seed: int) -> Pair:
    """Raises ValueError, telling the field and never its text."""
    found = validated(_Line, line)
    try:
        query = clean_query(found.query)
    except UnprocessableText as error:
        raise ValueError(f"query: {error.detail}") from error
    document = clean("document", found.document)
    chosen, rejected = clean("chosen", found.chosen), clean("rejected", found.rejected)
    if chosen == rejected:
        raise ValueError("rejected: it is the same as chosen")
    max_words = length_asked_for(chosen, rejected, seed, found.id)
    return Pair(found.id, query, document, max_words, chosen, rejected, origin="judged", derived=False)
