"""Units of a page by how much they speak to a query: BM25 over the units of the one page, their headings and places."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from querygist.text import bm25
from querygist.text.answer_types import expected
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import terms
from querygist.text.units import Unit, units, written


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights that decide a quote. Fitted on the frozen validation rows: `python -m training fit-quote`.

    Scores are shares of what a unit would have that holds every term of the query once.

    `length`: how much a long unit is discounted (BM25's b). `neighbour`: share of its neighbours' scores that a unit
    gets: an answer often stands beside the query's words. `context`: share of the score of its headings and lead-in,
    and `fading`, how fast that share falls from sentence to sentence under a heading. `answer_type`: for a number where
    the query asks for one, or a name. `lead`: for the page's first unit, half of it for the second, and so on.
    `boilerplate`: share of its score that navigation keeps. `entry`: share of the best unit's score that a further one
    needs. `next_bonus`: for the unit behind a chosen one. `cut_room`: fewest words of room for which a unit is cut.
    """

    length: float = 0.2
    neighbour: float = 0.15
    context: float = 0.3
    fading: float = 0.3
    answer_type: float = 0.15
    lead: float = 0.02
    boilerplate: float = 0.3
    entry: float = 0.5
    next_bonus: float = 0.1
    cut_room: int = 8


WEIGHTS = Weights()

_OPERATOR = re.compile(r"(?<!\S)(?:-\w\S*|(?:site|intitle|inurl|filetype):\S+|AND|OR|NOT)(?!\S)")
_WHOLE_LISTS = frozenset(["item", "row", "definition"])  # what a heading says of one it says of all
_SHORTEST_MISSPELT = 4  # letters
_LIKENESS = 0.6  # Dice's coefficient of two words' pairs of letters


@dataclass(frozen=True, slots=True)
class Ranking:
    """The units of a page and their scores, by the same index. `order`: best first; empty where nothing of the query
    occurs.
    """

    text: str
    units: list[Unit]
    scores: list[float]
    order: list[int]


NOTHING = Ranking("", [], [], [])
"""The ranking of an empty document."""


def rank(document: CleanDocument, query: str, *, title: str | None = None, weights: Weights = WEIGHTS) -> Ranking:
    """Score every unit of the page. `title` is a heading over all of it."""
    text, found = document.text, units(document.text, document.blocks)
    query = _OPERATOR.sub(" ", query).strip() or query
    common = not terms(query)  # a query of nothing but stop words asks for them
    tokens = [terms(written(text, unit.slices), common=common) for unit in found]
    contexts = _contexts(text, found, title, common)
    vocabulary = {term for part in (*tokens, *contexts) for term in part}
    wanted = {close for term in set(terms(query, common=common)) for close in _occurring(term, vocabulary)}
    if not wanted or not found:
        return Ranking(text, found, [0.0] * len(found), [])
    scores = _scores(found, tokens, contexts, wanted, weights)
    if (kind := expected(query)) is not None:
        scores = [
            score + weights.answer_type * (score > 0 and kind.search(text, unit.start, unit.end) is not None)
            for score, unit in zip(scores, found, strict=True)
        ]
    order = sorted(range(len(found)), key=lambda place: -scores[place])
    return Ranking(text, found, scores, order)


def _contexts(text: str, found: Sequence[Unit], title: str | None, common: bool) -> list[list[str]]:
    """Terms of each unit's headings and lead-in, those of the title among them."""
    above = terms(title, common=common) if title else []
    of_span = {
        span: terms(text[slice(*span)], common=common) for span in {span for unit in found for span in unit.context}
    }
    return [above + [term for span in unit.context for term in of_span[span]] for unit in found]


def _occurring(term: str, vocabulary: set[str]) -> list[str]:
    """The term where it occurs, else those it may be a misspelling of."""
    if term in vocabulary or len(term) < _SHORTEST_MISSPELT:
        return [term] if term in vocabulary else []
    pairs = _pairs(term)
    like = [other for other in vocabulary if other[0] == term[0] and abs(len(other) - len(term)) <= 2]
    return [other for other in like if 2 * len(pairs & _pairs(other)) >= _LIKENESS * (len(pairs) + len(_pairs(other)))]


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(len(word) - 1)}


def _scores(
    found: Sequence[Unit],
    tokens: Sequence[list[str]],
    contexts: Sequence[list[str]],
    wanted: set[str],
    weights: Weights,
) -> list[float]:
    held = [Counter(term for term in part if term in wanted) for part in tokens]
    above = [set(part) & wanted for part in contexts]
    holding = Counter(term for own, context in zip(held, above, strict=True) for term in own.keys() | context)
    idf = {term: bm25.idf(len(found), count) for term, count in holding.items()}
    whole = sum(idf.values())
    average = sum(map(len, tokens)) / len(tokens) or 1.0

    def own(place: int) -> float:
        norm = bm25.norm(len(tokens[place]), average, weights.length)
        return sum(bm25.score(idf[term], count, norm) for term, count in held[place].items()) / whole

    alone = [own(place) if held[place] else 0.0 for place in range(len(found))]
    around = [0.0, *alone, 0.0]
    begins = {unit.context: place for place, unit in reversed(list(enumerate(found)))}  # where a section does
    scores = []
    for place, unit in enumerate(found):
        context = sum(idf[term] for term in above[place] - held[place].keys()) / whole
        depth = 0 if unit.kind in _WHOLE_LISTS else place - begins[unit.context]
        score = (
            alone[place]
            + weights.neighbour * (around[place] + around[place + 2])
            + weights.context * context / (1 + weights.fading * depth)
            + weights.lead / (1 + place)
        )
        scores.append(score * (weights.boilerplate if unit.boilerplate else 1.0))
    return scores
