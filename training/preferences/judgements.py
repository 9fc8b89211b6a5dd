"""Preference pairs from people who compared two summaries: JSONL with id, query, document, chosen, rejected, source
and margin.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.config import PairRules
from training.data.jsonl import Document, Query, Text, cleaned, read_rows, validate
from training.preferences.pairs import FilterResult, Pair, filter_pairs, requested_words_of


class _Line(BaseModel):
    """One line of a file, its texts cleaned. `margin`: how clear the preference was, in the source's own measure."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    query: Query
    document: Document
    chosen: Annotated[Text, cleaned("chosen")]
    rejected: Annotated[Text, cleaned("rejected")]
    source: Text
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)]


def read(files: Sequence[Path], *, seed: int) -> list[Pair]:
    """Return all pairs, in the files' order, clean. `seed` draws the length that is asked for.

    Raises ConfigurationError with one line for each bad row.
    """

    def parse(line: str) -> Pair:
        one = validate(_Line, line)
        if one.chosen == one.rejected:
            raise ValueError("rejected: it is the same as chosen")
        words = requested_words_of(one.chosen, one.rejected, seed, one.id)
        return Pair(one.id, one.query, one.document, words, one.chosen, one.rejected, origin="judged", derived=False)

    return read_rows(files, parse, "preferences.judgements")


def clear_pairs(judged: Sequence[Pair], rules: PairRules) -> FilterResult:
    """Return the pairs of which no other says the opposite, and which the rules let pass."""
    said = {(pair.query, pair.document, pair.chosen, pair.rejected) for pair in judged}
    agreed = [pair for pair in judged if (pair.query, pair.document, pair.rejected, pair.chosen) not in said]
    result = filter_pairs(agreed, rules)
    if len(agreed) < len(judged):
        result.dropped["people disagree"] += len(judged) - len(agreed)
    return result
