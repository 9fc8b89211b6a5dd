"""The checker: what the model writes, held against the page while it is written.

A unit of the page of which the model has copied half is given as the page has it: whole, word for word, once, in page
order. So no label, no altered quotation and no repetition reaches a reader, and text is given before it is written.
Of models that write in their own words, sentences that are nearly none of the page's are kept.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from querygist.pipeline.alignment import Alignment
from querygist.pipeline.attribution import merged
from querygist.pipeline.summary import Support
from querygist.text.quote import ELLIPSIS, Quote, Segment, fitting, words_in
from querygist.text.ranking import WEIGHTS, Ranking
from querygist.text.sentences import Span, sentence_ends, terms, words
from querygist.text.units import GAP, SPACE, joiner, written

_COPIED = 0.5  # share of a unit's words in the text, from which on the text means that unit
_OWN_WORDS = 0.4  # share of a sentence's words that are copied, from which on it is no sentence of the model's own
_SHARED_TERMS = 2  # of one in own words with the quote, for it to speak to the query


@dataclass(frozen=True, slots=True)
class CheckedSegment(Segment):
    """A segment, and how the page supports it."""

    support: Support


class Checker:
    """One summary in the making: `text` and its `segments`. It `passed` when it holds what the page says best.

    `keeps_own_words`: the model was not trained to quote only.
    """

    def __init__(self, ranking: Ranking, quote: Quote, *, max_words: int, keeps_own_words: bool) -> None:
        self._ranking = ranking
        self._alignment = Alignment(ranking.text)
        self._words_of = [self._alignment.places((unit.start, unit.end)) for unit in ranking.units]
        self._best = ranking.order[0]
        self._quoted_terms = set(terms(quote.text))
        self._max_words = max_words
        self._keeps_own_words = keeps_own_words
        self._draft = ""
        self._shown = 0
        self._last: int | None = None
        self._seen: set[str] = set()
        self._given: list[int] = []  # units, as many as segments where no own words are kept
        self._full = False
        self.text = ""
        self.segments: list[CheckedSegment] = []
        self.passed = False

    def push(self, piece: str) -> str:
        """Take a piece of the model's text; return what may be shown since the last call, often ""."""
        self._draft += piece
        if not self._keeps_own_words:
            self._take_units(self._draft)
        elif ends := sentence_ends(self._draft):
            for start, end in pairwise([0, *ends]):
                self._take_sentence(self._draft[start:end].strip())
            self._draft = self._draft[ends[-1] :]
        return self._new()

    def finish(self) -> str:
        """Take the end of the model's text; return the rest that may be shown."""
        if self._keeps_own_words and (rest := self._draft.strip()):
            self._take_sentence(rest)
        elif not self._keeps_own_words:
            self._settle()
        return self._new()

    def _settle(self) -> None:
        """Call verbatim what the model went on to copy whole after it had been given."""
        whole = dict(self._units_in(self._alignment.fragments(self._draft)))
        self.segments = [
            replace(one, support=whole.get(place, one.support))
            for place, one in zip(self._given, self.segments, strict=True)
        ]

    def _new(self) -> str:
        if not self.passed:
            return ""
        new, self._shown = self.text[self._shown :], len(self.text)
        return new

    def _take_units(self, text: str) -> None:
        for place, support in self._units_in(self._alignment.fragments(text)):
            self._give(place, support)

    def _take_sentence(self, sentence: str) -> None:
        fragments = self._alignment.fragments(sentence)
        if sum(end - start for start, end in fragments) >= _OWN_WORDS * len(words(sentence)):
            self._take_units(sentence)
        elif sentence not in self._seen and words_in(f"{self.text} {sentence}") <= self._max_words:
            spans = self._alignment.words
            sources = tuple((spans[first][0], spans[last - 1][1]) for first, last in merged(fragments))
            self._append(SPACE, sentence, sources, "paraphrase")
            self._last = None
            self.passed = self.passed or len(self._quoted_terms.intersection(terms(sentence))) >= _SHARED_TERMS

    def _units_in(self, fragments: list[Span]) -> list[tuple[int, Support]]:
        """The units that the fragments cover to `_COPIED` or more, in page order."""
        covered: Counter[int] = Counter()
        for start, end in merged(fragments):
            place = bisect_right(self._words_of, start, key=lambda words_: words_[1])
            while place < len(self._words_of) and self._words_of[place][0] < end:
                first, last = self._words_of[place]
                covered[place] += min(last, end) - max(first, start)
                place += 1
        sizes = {place: self._words_of[place][1] - self._words_of[place][0] for place in sorted(covered)}
        return [
            (place, "verbatim" if covered[place] == size else "repaired")
            for place, size in sizes.items()
            if covered[place] >= _COPIED * size > 0
        ]

    def _give(self, place: int, support: Support) -> None:
        """Append a unit as the page has it; cut, where the rest of it would be too long, and then nothing more."""
        text, units = self._ranking.text, self._ranking.units
        slices = units[place].slices
        line = written(text, slices)
        if self._full or line in self._seen:
            return
        between = GAP if self._last is None else joiner(text, units, self._last, place)
        room = self._max_words - words_in(self.text + between if self.text else "")
        if words_in(line) > room:
            self._full = True
            slices = fitting(text, slices, room, WEIGHTS.cut_room if self.text else 1)
            line = written(text, slices)
        if not line:
            return
        self._append(between, line, tuple((one.start, one.end) for one in slices), support)
        self._given.append(place)
        self.text += ELLIPSIS if self._full else ""
        self._last = place
        self.passed = self.passed or place == self._best

    def _append(self, between: str, line: str, sources: tuple[Span, ...], support: Support) -> None:
        self._seen.add(line)
        self.text += between if self.text else ""
        self.segments.append(CheckedSegment(len(self.text), len(self.text) + len(line), sources, support))
        self.text += line
