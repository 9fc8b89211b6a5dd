"""Paragraphs made to look like pages: headings, navigation, lists and tables, text from elsewhere around the answer.

Each change keeps which units answer, and each is made with the same chance where the page answers and where it does
not: none may tell the label.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from querygist.text.sentences import terms
from training.reader.boilerplate import AFTER, BEFORE, SITES
from training.reader.units import Unit

_CLAUSE = re.compile(r"(?<=[,;:]) ")
_CELL = re.compile(r"[,;:] ")
_FINAL = re.compile(r"[.;:,]+$")
_QUESTION = re.compile(
    r"^(?:who|what|when|where|which|why|how|is|are|was|were|do|does|did|can|in what|in which)\b\s*", re.I
)
_KEPT = frozenset(("not", "no", "never", "without", "didn't", "doesn't", "isn't", "wasn't", "don't", "can't"))
_SPLIT_WORDS = 14


@dataclass(frozen=True, slots=True)
class Chances:
    """Chances of each change, for a page."""

    neighbours: float = 0.25
    title: float = 0.35
    query_title: float = 0.15
    query_heading: float = 0.15
    boilerplate: float = 0.25
    as_list: float = 0.15
    as_table: float = 0.07
    merged: float = 0.15
    broken: float = 0.1
    keyword_query: float = 0.15
    bare_query: float = 0.25


def as_page(
    query: str, units: Sequence[Unit], others: Sequence[Sequence[Unit]], random: Random, chances: Chances
) -> list[Unit]:
    """Return the units as a page has them. `others`: units of pages that do not answer, to stand around these."""
    page = _layout(list(units), random, chances)
    if random.random() < chances.neighbours and others:
        page = _surround(page, others, random)
    page = _titled(query, page, random, chances)
    if random.random() < chances.boilerplate:
        page = _with_boilerplate(page, random)
    return page


def as_typed(query: str, random: Random, chances: Chances) -> str:
    """Return the query as people type it: keywords for a share, without the question mark for another."""
    chance = random.random()
    if chance < chances.keyword_query:
        return keywords(query)
    if chance < chances.keyword_query + chances.bare_query:
        return query.rstrip("?. ").lower()
    return query


def keywords(query: str) -> str:
    """Return the words that searching keeps, and negations, in order; a query of nothing else stays as it is."""
    found = [word.strip("?.,!\"'()") for word in query.split()]
    kept = [word for word in found if terms(word) or word.lower() in _KEPT]
    return " ".join(kept) or query


def _layout(units: list[Unit], random: Random, chances: Chances) -> list[Unit]:
    """Write sentences as items or rows, break or join them."""
    chance = random.random()
    if chance < chances.as_list:
        bullet = random.choice(("- ", "• ", "* ", "", "1. "))
        return [_written(unit, bullet + _FINAL.sub("", unit.text)) for unit in units]
    chance -= chances.as_list
    if chance < chances.as_table:
        return [_written(unit, _FINAL.sub("", _CELL.sub(" | ", unit.text))) for unit in units]
    chance -= chances.as_table
    if chance < chances.merged:
        return _merged(units, random)
    chance -= chances.merged
    if chance < chances.broken:
        return [part for unit in units for part in _broken(unit, random)]
    return units


def _written(unit: Unit, text: str) -> Unit:
    return replace(unit, text=text or unit.text, origin=unit.source_text)


def _merged(units: Sequence[Unit], random: Random) -> list[Unit]:
    """Join some neighbours under one heading, as paragraphs of a list are: what either answers, both do."""
    found: list[Unit] = []
    for unit in units:
        last = found[-1] if found else None
        if last is not None and last.headings == unit.headings and random.random() < 0.25:
            answers = None if None in (last.answers, unit.answers) else bool(last.answers or unit.answers)
            found[-1] = Unit(f"{last.text} {unit.text}", answers, last.headings)
        else:
            found.append(unit)
    return found


def _broken(unit: Unit, random: Random) -> list[Unit]:
    """Break a long unit that answers nothing at a clause; which half of an answer answers, nobody has said."""
    places = [found.start() for found in _CLAUSE.finditer(unit.text)]
    if unit.answers is not False or len(unit.text.split()) < _SPLIT_WORDS or not places:
        return [unit]
    place = random.choice(places)
    halves = (unit.text[:place].strip(), unit.text[place:].strip())
    return [Unit(half, unit.answers, unit.headings) for half in halves if half]


def _surround(page: list[Unit], others: Sequence[Sequence[Unit]], random: Random) -> list[Unit]:
    """Put the beginning or the end of other pages before and after, in which nothing answers.

    Answers stand early on pages more often than late: two in three go behind.
    """
    for other in others:
        count = min(len(other), random.randint(1, 6))
        if random.random() < 2 / 3:
            page = page + [replace(unit, answers=False) for unit in other[:count]]
        else:
            page = [replace(unit, answers=False) for unit in other[len(other) - count :]] + page
    return page


def _titled(query: str, page: list[Unit], random: Random, chances: Chances) -> list[Unit]:
    """Put headings above: one made of the query, or of the page's own words."""
    if random.random() < chances.query_heading:
        where = random.randrange(len(page) + 1)
        heading = query_heading(query, random)
        if random.random() < 0.5:
            page = [*page[:where], Unit(heading, False, page[min(where, len(page) - 1)].headings), *page[where:]]
        else:
            page = page[:where] + [replace(unit, headings=(*unit.headings, heading)) for unit in page[where:]]
    chance = random.random()
    if chance < chances.query_title + chances.title:
        title = query_heading(query, random) if chance < chances.query_title else own_title(page, random)
        if random.random() < 0.5:
            title = f"{title} {random.choice('-|–')} {random.choice(SITES)}"
        if random.random() < 0.3:
            return [Unit(title, False), *page]
        return [replace(unit, headings=(title, *unit.headings)) for unit in page]
    return page


def query_heading(query: str, random: Random) -> str:
    """Return a heading that repeats the query: as it is, without its question word, or its keywords."""
    form = random.randrange(3)
    bare = query.rstrip("?. ")
    if form == 0:
        return query
    text = keywords(query) if form == 1 else _QUESTION.sub("", bare) or bare
    return text[:1].upper() + text[1:]


def own_title(page: Sequence[Unit], random: Random) -> str:
    """Return the first words of one of the first units, or its longest run of capitalized words."""
    text = random.choice(page[:3]).text
    runs: list[str] = re.findall(r"(?:[A-Z][\w'-]+(?: (?:of|the|and|in) (?=[A-Z]))? ?)+", text)
    longest = max(runs, key=len, default="").strip()
    return longest if len(longest.split()) > 1 else " ".join(text.split()[: random.randint(3, 7)])


def _with_boilerplate(page: list[Unit], random: Random) -> list[Unit]:
    """Put navigation before, what pages end with behind, and now and then a line of it between."""
    before = [Unit(text, False) for text in random.sample(BEFORE, random.randint(0, 4))]
    after = [Unit(text, False) for text in random.sample(AFTER, random.randint(0, 5))]
    if random.random() < 0.3:
        where = random.randrange(len(page) + 1)
        page = [*page[:where], Unit(random.choice(AFTER + BEFORE), False), *page[where:]]
    return [*before, *page, *after]
