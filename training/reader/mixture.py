"""The mixture that the reader learns from: of each source its share, and of each about the same part that answers.

Negatives are, of those that the source has: pages that people say do not answer; the page of the same source that BM25
likes most; a page with nothing in common; the row's own page without the units that answer, where the rest of it says
nothing of the answer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from querygist.text.sentences import terms
from training.config import ReaderConfig, ReaderSource
from training.data.deduplication import Runs
from training.data.negatives import Pool
from training.reader.rows import ReaderRow
from training.reader.units import Unit, units_of, with_headings

_LEFT = 0.2
"""Share of the answer's own terms in the rest of its page, above which the rest may still answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A query and units to learn from. `answerable` is None where the page's label is not to be learnt."""

    id: str
    source: str
    query: str
    units: list[Unit]
    answerable: bool | None


class Mixture:
    """Draws of pages. The same for the same rows, configuration and seed."""

    def __init__(self, rows: Sequence[ReaderRow], config: ReaderConfig, seed: int) -> None:
        self._config = config
        self._random = Random(f"{seed} mixture")  # noqa: S311
        self._positives: dict[str, list[ReaderRow]] = {}
        self._negatives: dict[str, list[ReaderRow]] = {}
        for row in rows:
            group = self._positives if row.answerable else self._negatives
            group.setdefault(row.source, []).append(row)
        self._pools = {
            source: Pool([row.as_row() for row in [*found, *self._negatives.get(source, [])]], Runs())
            for source, found in self._positives.items()
        }
        self._titles = {row.document: row.title for row in rows}
        self._seed = seed

    def draw(self, advance: Callable[[], None] = lambda: None) -> Iterator[Page]:
        """Yield the pages of one run, source after source."""
        total = sum(self._config.source(name).weight * len(rows) for name, rows in self._positives.items())
        for source, rows in self._positives.items():
            rule = self._config.source(source)
            count = round(self._config.examples * rule.weight * len(rows) / total)
            answering = count if not rule.page else round(count * self._config.answerable_share)
            for row in self._endless(rows, answering):
                advance()
                yield self.positive(row, rule)
            for page in self._draw_negatives(source, rule, count - answering):
                advance()
                yield page

    def positive(self, row: ReaderRow, rule: ReaderSource) -> Page:
        """Return a row as it is."""
        units = self._units(row)
        if not rule.units:
            units = [Unit(unit.text, None, unit.headings) for unit in units]
        return Page(row.id, row.source, row.query, units, True if rule.page else None)

    def hard(self, row: ReaderRow) -> Page | None:
        """Return the query of a row with the page of its source that is most like it and does not answer."""
        found = self._pools[row.source].hard(row.as_row())
        return None if found is None else self._negative(f"{row.id} hard", row, found.document)

    def far(self, row: ReaderRow) -> Page | None:
        """Return the query of a row with a page of its source that has next to nothing in common with it."""
        found = self._pools[row.source].unrelated(row.as_row(), self._seed)
        return None if found is None else self._negative(f"{row.id} far", row, found.document)

    def emptied(self, row: ReaderRow) -> Page | None:
        """Return the row's page without what answers; None where the rest may still answer."""
        units = self._units(row)
        rest = [Unit(unit.text, False, unit.headings) for unit in units if unit.answers is False]
        own = frozenset(terms(" ".join(unit.text for unit in units if unit.answers))) - frozenset(terms(row.query))
        left = own & frozenset(terms(" ".join(unit.text for unit in rest)))
        if len(rest) < 3 or len(rest) == len(units) or len(left) > _LEFT * len(own):
            return None
        return Page(f"{row.id} emptied", row.source, row.query, rest, False)

    def _draw_negatives(self, source: str, rule: ReaderSource, count: int) -> Iterator[Page]:
        """Yield `count` negatives, by people first, of whom each is taken `human_repeats` times at most."""
        rows = self._positives[source]
        human = self._negatives.get(source, [])
        by_people = min(round(count * rule.human_negatives), rule.human_repeats * len(human))
        for row in self._endless(human, by_people):
            yield Page(row.id, row.source, row.query, self._units(row), False)
        kinds = [(self.hard, rule.hard), (self.emptied, rule.emptied), (self.far, rule.far)]
        made = tries = 0
        endless = self._endless(rows, 20 * count)
        while made < count - by_people and tries < 10 * count:
            tries += 1
            make = self._random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
            if (page := make(next(endless))) is not None:
                made += 1
                yield page

    def _endless(self, rows: Sequence[ReaderRow], count: int) -> Iterator[ReaderRow]:
        """Yield `count` rows: all in random order, then all again."""
        left: list[ReaderRow] = []
        for _ in range(count):
            left = left or self._random.sample(rows, len(rows))
            yield left.pop()

    def _units(self, row: ReaderRow) -> list[Unit]:
        units = units_of(row)
        if self._random.random() < self._config.headings_share:
            return with_headings(units, row.document, row.title)
        return units

    def _negative(self, id_: str, row: ReaderRow, document: str) -> Page:
        other = row.model_copy(update={"document": document, "answerable": False, "title": self._titles[document]})
        return Page(id_, row.source, row.query, self._units(other), False)
