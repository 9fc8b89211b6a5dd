"""Units of a page by how much they speak to a query: BM25 over the units of the one page, their headings and places."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain

from querygist.text import bm25
from querygist.text.answer_types import expected
from querygist.text.cleaning import CleanDocument
from querygist.text.language import is_english
from querygist.text.sentences import Span, grams, terms
from querygist.text.units import HEADER, Slice, Unit, cells_of, units


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights that decide a quote. Fitted on the frozen validation rows: `python -m training fit-quote`.

    Scores are shares of what a unit would have that holds every term of the query once.

    `length`: how much a long unit is discounted (BM25's b). `neighbour`: share of its neighbours' scores that a unit
    gets: an answer often stands beside the query's words. `lead_in`, `heading`, `context`: share of what the terms
    would be worth in it that the line or header that leads to it has, the nearest heading, the headings above that one;
    and `fading`, how fast these shares fall from sentence to sentence under a heading. `wrong_type`: share of its score
    that a unit loses that has nothing of the kind that the query asks for, such as a number. `lead`: for the page's
    first unit, half of it for the second, and so on. `boilerplate`: share of its score that navigation loses. `entry`:
    share of the best unit's score that a further one needs. `next_bonus`: for the unit behind a chosen one under the
    same heading. `cut_room`: fewest words of room for which a unit is cut.
    """

    length: float = 0.8
    neighbour: float = 0.2
    context: float = 0.3
    heading: float = 0.6
    fading: float = 0.1
    lead_in: float = 0.8
    wrong_type: float = 0.5
    lead: float = 0.02
    boilerplate: float = 0.7
    entry: float = 0.6
    next_bonus: float = 0.2
    cut_room: int = 8


WEIGHTS = Weights()

_OPERATOR = re.compile(r"(?<!\S)(?:-\w\S*|(?:site|intitle|inurl|filetype):\S+|AND|OR|NOT)(?!\S)")
_WHOLE_LISTS = frozenset(["item", "row", "definition"])  # what a heading says of one it says of all
_SHORTEST_MISSPELT = 4  # letters
_LIKENESS = 0.75  # Dice's coefficient of two words' pairs of letters


@dataclass(frozen=True, slots=True)
class Ranking:
    """The units of a page and their scores, by the same index. `order`: best first; empty where nothing of the query
    occurs. `english`: of the page, by whose words it is ranked; of another, by pieces of them.
    """

    text: str
    units: list[Unit]
    scores: list[float]
    order: list[int]
    english: bool


NOTHING = Ranking("", [], [], [], english=True)
"""The ranking of an empty document."""


def rank(document: CleanDocument, query: str, *, title: str | None = None, weights: Weights = WEIGHTS) -> Ranking:
    """Score every unit of the page. `title` is a heading over all of it."""
    text, found = document.text, units(document.text, document.blocks)
    query = _OPERATOR.sub(" ", query).strip() or query
    english = is_english(text)
    split = partial(terms, common=not terms(query)) if english else grams  # a query of stop words asks for them
    tokens = [split(_own_text(text, unit)) for unit in found]
    contexts = _contexts(text, found, title, split)
    vocabulary = {term for part in (*tokens, *chain.from_iterable(contexts)) for term in part}
    wanted = {close for term in set(split(query)) for close in _occurring(term, vocabulary)}
    if not wanted or not found:
        return Ranking(text, found, [0.0] * len(found), [], english)
    scores = _scores(found, tokens, contexts, wanted, weights)
    if (kind := expected(query)) is not None:
        scores = [
            score * (1.0 if kind.search(text, unit.start, unit.end) else 1 - weights.wrong_type)
            for score, unit in zip(scores, found, strict=True)
        ]
    order = sorted(range(len(found)), key=lambda place: -scores[place])
    found = [_focused(text, unit, wanted, split) if unit.kind == "row" else unit for unit in found]
    return Ranking(text, found, scores, order, english)


Split = Callable[[str], list[str]]
"""Text to the terms of it that count."""

Context = tuple[set[str], set[str], set[str]]
"""Terms of what stands over a unit: of the line or header that leads to it, of the nearest heading, of the others."""


def _own_text(text: str, unit: Unit) -> str:
    """The unit as it is written, without the headers of its cells."""
    return " ".join(
        text[one.start : one.end] for cell in cells_of(unit) for one in (cell[1:] if _is_headed(cell) else cell)
    )


def _is_headed(cell: Sequence[Slice]) -> bool:
    return len(cell) > 1 and cell[1].joiner == HEADER


def _contexts(text: str, found: Sequence[Unit], title: str | None, split: Split) -> list[Context]:
    """The context of each unit; the title is a heading of all."""

    @cache
    def of(span: Span) -> set[str]:
        return set(split(text[slice(*span)]))

    above = set(split(title)) if title else set()
    contexts: list[Context] = []
    for unit in found:
        headers = [(cell[0].start, cell[0].end) for cell in cells_of(unit) if _is_headed(cell)]
        leads = set().union(*map(of, headers), of(unit.lead_in) if unit.lead_in else set())
        nearest = of(unit.headings[-1]) if unit.headings else above
        contexts.append((leads, nearest, above.union(*map(of, unit.headings[:-1]))))
    return contexts


def _focused(text: str, unit: Unit, wanted: set[str], split: Split) -> Unit:
    """A row with its first cell and those whose headers the query names; all of it where it names none."""
    first, *others = cells_of(unit)
    named = [
        cell for cell in others if _is_headed(cell) and wanted.intersection(split(text[cell[0].start : cell[0].end]))
    ]
    return replace(unit, slices=tuple(chain(first, *named))) if named else unit


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
    contexts: Sequence[Context],
    wanted: set[str],
    weights: Weights,
) -> list[float]:
    held = [Counter(term for term in part if term in wanted) for part in tokens]
    above = [[part & wanted for part in context] for context in contexts]
    holding = Counter(
        term for own, context in zip(held, above, strict=True) for term in own.keys() | set().union(*context)
    )
    idf = {term: bm25.idf(len(found), count) for term, count in holding.items()}
    whole = sum(idf[term] for term in sorted(idf))
    average = sum(map(len, tokens)) / len(tokens) or 1.0

    def own(place: int) -> float:
        norm = bm25.norm(len(tokens[place]), average, weights.length)
        return sum(bm25.score(idf[term], count, norm) for term, count in held[place].items()) / whole

    def share(terms_: set[str]) -> float:
        return sum(idf[term] for term in sorted(terms_)) / whole  # in order: a sum must not vary with Python's hashes

    kept = [1 - weights.boilerplate if unit.boilerplate else 1.0 for unit in found]
    alone = [kept[place] * own(place) if held[place] else 0.0 for place in range(len(found))]
    around = [0.0, *alone, 0.0]
    begins = {unit.headings: place for place, unit in reversed(list(enumerate(found)))}  # where a section does
    scores = []
    for place, unit in enumerate(found):
        led, nearest, others = above[place]
        led = led - held[place].keys()
        nearest = nearest - held[place].keys() - led
        others = others - held[place].keys() - led - nearest
        depth = 0 if unit.kind in _WHOLE_LISTS else place - begins[unit.headings]
        beside = (
            weights.neighbour * (around[place] + around[place + 2])
            + weights.lead_in * share(led)
            + (weights.heading * share(nearest) + weights.context * share(others)) / (1 + weights.fading * depth)
            + weights.lead / (1 + place)
        )
        scores.append(alone[place] + kept[place] * beside)
    return scores
