"""Requests: kinds of requests mixed by weight, queries by popularity, documents from a corpus."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, TypeAdapter, ValidationError

from querygist.errors import ConfigurationError

Kind = Literal["json", "stream", "page"]
"""One summary as JSON, one as server-sent events, or a results page of ten as NDJSON."""

PAGE = 10
MAX_WORDS = 40
"""The length of a snippet, as in the other benchmarks."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; `summaries` is how many it asks for."""

    kind: Kind
    path: str
    body: Mapping[str, Any]
    summaries: int


def summary(kind: Kind, query: str, document: str, **options: Any) -> Ask:
    """A request for one summary; `options` are its other fields."""
    body = {"query": query, "document": document, "max_words": MAX_WORDS, "stream": kind == "stream", **options}
    return Ask(kind, "/summarize", body, 1)


def parse_mix(text: str) -> dict[Kind, float]:
    """`json=3,stream=1` as weights; one that is not given is 1. Raises ConfigurationError."""
    try:
        weights = {kind.strip(): weight or 1 for kind, _, weight in (part.partition("=") for part in text.split(","))}
        mix = TypeAdapter(dict[Kind, NonNegativeFloat]).validate_python(weights)
    except ValidationError as error:
        raise ConfigurationError(
            f"The mix {text!r} is not KIND=WEIGHT,...: kinds are {', '.join(get_args(Kind))}, weights 0 or more."
        ) from error
    if not sum(mix.values()):
        raise ConfigurationError(f"The mix {text!r} asks for nothing: give a kind a weight above 0.")
    return mix


def zipf(population: int, exponent: float) -> NDArray[np.float64]:
    """Probability of each of `population` queries, the most popular first: in proportion to 1 / rank ** `exponent`.

    A few are asked again and again, most hardly ever, as search logs show.
    """
    weights: NDArray[np.float64] = np.arange(1, population + 1, dtype=np.float64) ** -exponent
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


class Traffic:
    """Draws requests. The same seed draws the same ones, at whatever rate they are sent.

    Where there are more queries than rows, a row is asked again with a number behind its query. `distinct` queries
    carry the seed as well: a run with another seed repeats none of them. Raises ConfigurationError.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, str]],
        mix: Mapping[Kind, float],
        *,
        population: int,
        exponent: float,
        distinct: bool,
        seed: int,
        style: str = "write",
    ) -> None:
        if not rows or population < 1 or exponent < 0:
            raise ConfigurationError(
                f"{len(rows)} rows, {population} queries, Zipf's exponent {exponent:g}: give at least one row and one "
                "query, and an exponent of 0 or more."
            )
        popular, kinds = np.random.default_rng([seed, 1]).spawn(2)  # the arrivals use the seed itself
        self._rows = rows
        self._kinds = list(mix)
        self._shares = np.array(list(mix.values())) / sum(mix.values())
        self._random = kinds
        self._ranks: Iterator[int] = count() if distinct else _ranks(zipf(population, exponent), popular)
        self._label = f"{seed}." if distinct else ""
        self._options = {"max_words": MAX_WORDS, "style": style}

    def draw(self) -> Ask:
        """The next request."""
        kind = self._kinds[self._random.choice(len(self._kinds), p=self._shares)]
        again, place = divmod(next(self._ranks), len(self._rows))
        query = self._rows[place]["query"]
        if again or self._label:
            query = f"{query} {self._label}{again}"
        if kind == "page":
            documents = [{"id": str(number), **self._document(place + number)} for number in range(PAGE)]
            return Ask(kind, "/summarize/batch", {"query": query, "documents": documents}, PAGE)
        return summary(kind, query, self._rows[place]["document"], **self._options)

    def _document(self, place: int) -> dict[str, Any]:
        return {"document": self._rows[place % len(self._rows)]["document"], **self._options}


def _ranks(chances: NDArray[np.float64], random: np.random.Generator) -> Iterator[int]:
    while True:
        yield int(random.choice(len(chances), p=chances))
