"""The checker: what the model writes, held against the page while it is written.

A unit of the page of which the model has copied half is given as the page has it: whole, word for word, once. So no
label, no altered quotation and no repetition reaches a reader, and text is given before it is written. Words are taken
one by one: what is given does not depend on how many the engine sends at a time. Of models that write in their own
words, sentences that are nearly none of the page's are kept.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from querygist.pipeline.alignment import Alignment, Fragments
from querygist.pipeline.attribution import merged
from querygist.pipeline.choice import Choice
from querygist.pipeline.summary import Support
from querygist.text.cleaning import FENCE_CLOSE, FENCE_OPEN
from querygist.text.quote import ELLIPSIS, Quote, Segment, fitting, words_in
from querygist.text.ranking import WEIGHTS, Ranking
from querygist.text.sentences import Span, sentence_ends, terms, words
from querygist.text.units import GAP, LIST_KINDS, SPACE, joiner, written

_COPIED = 0.5  # share of a unit's words in the text, from which on the text means that unit
_OWN_WORDS = 0.4  # share of a sentence's words that are copied, from which on it is no sentence of the model's own
_SHARED_TERMS = 2  # of one in own words with the quote, for it to speak to the query


@dataclass(frozen=True, slots=True)
class CheckedSegment(Segment):
    """A segment, and how the page supports it."""

    support: Support


def _wanted(choice: Choice) -> set[int]:
    """Places of the units of which a summary must hold one: of the quote's the best, and the sentences nearly as good.

    Of a list all are as good as the first, and one of the others alone is a poor answer.
    """
    ranking = choice.ranking
    if not ranking.order:
        return set()
    best = ranking.order[0]
    least = choice.nearly * ranking.scores[best]
    return {best} | {
        place
        for place in choice.quote.chosen
        if ranking.scores[place] >= least and ranking.units[place].kind in ("paragraph", "quotation", "caption")
    }


def _listed(ranking: Ranking, quote: Quote) -> set[str]:
    """The items, rows and lines of code of the quote, where it has several: what heads a list is said of all of it."""
    units = [ranking.units[place] for place in quote.chosen]
    lines = {written(ranking.text, unit.slices) for unit in units if unit.kind in LIST_KINDS}
    return lines if len(lines) > 1 else set()


class Checker:
    """One summary in the making: `text` and its `segments`. It `passed` when it holds what answers the query best.

    `keeps_own_words`: the model was not trained to quote only.
    """

    def __init__(self, choice: Choice, alignment: Alignment, *, max_words: int, keeps_own_words: bool) -> None:
        ranking, quote = choice.ranking, choice.quote
        self._ranking = ranking
        self._alignment = alignment
        self._words_of = [self._alignment.places((unit.start, unit.end)) for unit in ranking.units]
        self._wanted = {written(ranking.text, ranking.units[place].slices) for place in _wanted(choice)}
        self._listed = _listed(ranking, quote)
        self._quoted_terms = set(terms(quote.text))
        self._max_words = max_words
        self._keeps_own_words = keeps_own_words
        self._least = choice.least * max(ranking.scores, default=0.0)
        self._worth = {
            written(ranking.text, unit.slices)
            for unit, score in zip(ranking.units, ranking.scores, strict=True)
            if self._least and score >= self._least
        }
        self._draft = ""
        self._fragments = Fragments(self._alignment)
        self._shown = 0
        self._seen: set[str] = set()
        self._full = False
        self._places: list[int | None] = []  # the unit of each segment
        self.text = ""
        self.segments: list[CheckedSegment] = []
        self._answers = False

    @property
    def passed(self) -> bool:
        """True when it may be shown: it holds what answers, and of a list all that the quote holds of it."""
        return self._answers and self._listed <= self._seen

    @property
    def complete(self) -> bool:
        """True when nothing that a quoting model may still write would be shown: all that a reader likes is there."""
        if self._keeps_own_words or not self.passed:
            return False
        return self._full or (bool(self._worth) and self._worth <= self._seen)

    def open(self, place: int) -> str:
        """Take the unit that the model's label says it quotes, before a word of it; return what may be shown."""
        self._give(place)
        return self._new()

    def push(self, piece: str) -> str:
        """Take a piece of the model's text; return what may be shown since the last call, often ""."""
        self._draft += piece
        if not self._keeps_own_words:
            self._take_words()
        elif ends := sentence_ends(self._draft):
            for start, end in pairwise([0, *ends]):
                self._take_sentence(self._draft[start:end].strip())
            self._draft = self._draft[ends[-1] :]
        return self._new()

    def finish(self) -> str:
        """Take the end of the model's text; return the rest that may be shown."""
        if not self._keeps_own_words:
            self._fragments.add(self._draft)
            self._give_units(self._fragments.ended())
            self._support_by(self._fragments.ended(), since=0)
            if self.complete and self.segments:  # the model was stopped while it copied: this one is quoted for it
                self.segments[-1] = replace(self.segments[-1], support="verbatim")
        elif rest := self._draft.strip():
            self._take_sentence(rest)
        return self._new()

    def _new(self) -> str:
        if not self.passed:
            return ""
        new, self._shown = self.text[self._shown :], len(self.text)
        return new

    def _take_words(self) -> None:
        """Take the words of the draft but for the last, which may still grow."""
        found = words(self._draft)
        for start, end in found[:-1]:
            self._fragments.add(self._draft[start:end])
            self._give_units(self._fragments.certain())
        if found:
            self._draft = self._draft[found[-1][0] :]

    def _take_sentence(self, sentence: str) -> None:
        if FENCE_OPEN in sentence or FENCE_CLOSE in sentence:
            return
        fragments, since = self._alignment.fragments(sentence), len(self.segments)
        if sum(end - start for start, end in fragments) >= _OWN_WORDS * len(words(sentence)):
            self._give_units(fragments)
            self._support_by(fragments, since)
        elif not self._full and sentence not in self._seen and self._fits(sentence):
            spans = self._alignment.words
            sources = tuple((spans[first][0], spans[last - 1][1]) for first, last in merged(fragments))
            self._append(SPACE, sentence, sources, "paraphrase", None)
            self._answers |= len(self._quoted_terms.intersection(terms(sentence))) >= _SHARED_TERMS

    def _fits(self, sentence: str) -> bool:
        return words_in(f"{self.text} {sentence}") <= self._max_words

    def _give_units(self, fragments: list[Span]) -> None:
        """Give the units that the fragments cover, in page order: all of one, or `_COPIED` of it with words that stand
        nowhere else, for sentences may begin alike.
        """
        covered = self._covered(fragments)
        for_certain = self._covered([span for span in fragments if self._alignment.stands_once(span)])
        for place in sorted(covered):
            first, last = self._words_of[place]
            if covered[place] == last - first or for_certain[place] >= _COPIED * (last - first):
                self._give(place)

    def _covered(self, fragments: list[Span]) -> Counter[int]:
        """Words of each unit that the fragments cover, where they cover any."""
        covered: Counter[int] = Counter()
        for start, end in merged(fragments):
            place = bisect_right(self._words_of, start, key=lambda words_: words_[1])
            while place < len(self._words_of) and self._words_of[place][0] < end:
                first, last = self._words_of[place]
                covered[place] += max(0, min(last, end) - max(first, start))
                place += 1
        return +covered

    def _give(self, place: int) -> None:
        """Append a unit as the page has it; cut, where the rest of it would be too long, and then nothing more."""
        text, units = self._ranking.text, self._ranking.units
        slices = units[place].slices
        whole = line = written(text, slices)
        if self._full or line in self._seen or self._ranking.scores[place] < self._least:
            return
        before = self._places[-1] if self._places else None
        between = GAP if before is None else joiner(text, units, before, place)
        room = self._max_words - words_in(self.text + between if self.text else "")
        if words_in(line) > room:
            self._full = True
            slices = fitting(text, slices, room, WEIGHTS.cut_room if self.text else 1)
            line = written(text, slices)
        if not line:
            return
        self._append(between, line, tuple((one.start, one.end) for one in slices), "repaired", place)
        self.text += ELLIPSIS if self._full else ""
        self._answers = self._answers or whole in self._wanted  # the unit itself, or the same said elsewhere

    def _support_by(self, fragments: list[Span], since: int) -> None:
        """Say of the units given from segment `since` on which ones the model has copied in full."""
        copied = merged(fragments)
        for number, place in enumerate(self._places[since:], since):
            if place is None:
                continue
            segment = self.segments[number]
            first, last = self._alignment.places((self._ranking.units[place].start, segment.sources[-1][1]))
            if any(start <= first and last <= end for start, end in copied):
                self.segments[number] = replace(segment, support="verbatim")

    def _append(self, between: str, line: str, sources: tuple[Span, ...], support: Support, place: int | None) -> None:
        self._seen.add(line)
        self._places.append(place)
        self.text += between if self.text else ""
        self.segments.append(CheckedSegment(len(self.text), len(self.text) + len(line), sources, support))
        self.text += line
