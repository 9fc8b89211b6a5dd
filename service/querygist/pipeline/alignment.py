"""Alignment of a text with a page: the places it is copied from, whole fragments first.

Extractive fragments after Grusky, Naaman and Artzi, "Newsroom" (NAACL 2018, section 4): the text is read from the left,
and what stands longest in the page at each place is a fragment. Every distinct word becomes one character, so that
finding a run of words is finding a substring, which Python does in C and in linear time.
"""

from bisect import bisect_right

from querygist.text.sentences import Span, words

_SHORTEST_FRAGMENT = 3  # words; shorter matches are chance


class Alignment:
    """The words of one page, to find other texts in; case, punctuation and blanks do not count."""

    def __init__(self, text: str) -> None:
        self._codes: dict[str, str] = {}
        self._once: dict[Span, bool] = {}
        self.words = words(text)
        self.encoded = self.encode(text)

    def copied(self, text: str) -> float:
        """The share of the text's word bigrams that the page has; of a single word, whether it has it."""
        wanted = self.encode(text)
        pairs = [wanted[i : i + 2] for i in range(len(wanted) - 1)] or [wanted]
        return sum(pair in self.encoded for pair in pairs) / len(pairs) if wanted else 0.0

    def fragments(self, text: str) -> list[Span]:
        """Spans of `words`, in the order in which the text uses them: of three words or more, or all of the text."""
        fragments = Fragments(self)
        fragments.add(text)
        return fragments.ended()

    def places(self, span: Span) -> Span:
        """The words that stand in characters `span` of the page, as a span of `words`."""
        first = bisect_right(self.words, span[0], key=lambda word: word[1])
        last = bisect_right(self.words, span[1] - 1, key=lambda word: word[0])
        return first, max(first, last)

    def stands_once(self, span: Span) -> bool:
        """True when the words of this span of `words` stand at no other place of the page."""
        if span not in self._once:
            piece = self.encoded[slice(*span)]
            self._once[span] = self.encoded.find(piece, self.encoded.find(piece) + 1) < 0
        return self._once[span]

    def encode(self, text: str) -> str:
        """One character for each word, the same for words that differ in case only."""
        codes = self._codes
        return "".join([codes.setdefault(text[start:end].casefold(), chr(len(codes))) for start, end in words(text)])


class Fragments:
    """The fragments of a text that is still being written, taken word by word or all at once."""

    def __init__(self, alignment: Alignment) -> None:
        self._alignment = alignment
        self._wanted = ""
        self._settled: list[Span] = []
        self._begin = self._length = self._place = 0  # of the one that grows; where it first stands in the page
        self._after = 0  # the end of the one before: the next best place for what stands at several

    def add(self, text: str) -> None:
        """Take further words."""
        self._wanted += self._alignment.encode(text)
        while self._begin + self._length < len(self._wanted):
            longer = self._wanted[self._begin : self._begin + self._length + 1]
            # Wherever the fragment of this length first stands, no longer one stands before.
            place = self._alignment.encoded.find(longer, self._place)
            if place >= 0:
                self._length, self._place = self._length + 1, place
                continue
            if self._length >= _SHORTEST_FRAGMENT:
                self._settled.append(self._span())
                self._after = self._settled[-1][1]
                self._begin += self._length
            else:
                self._begin += 1
            self._length = self._place = 0

    def certain(self) -> list[Span]:
        """Those that no further word moves elsewhere: what ended, and what stands at one place of the page only."""
        if self._length < _SHORTEST_FRAGMENT or self._alignment.encoded.find(self._growing, self._place + 1) >= 0:
            return self._settled
        return [*self._settled, self._span()]

    def ended(self) -> list[Span]:
        """All of them, now that no further word comes."""
        is_whole = 0 < self._length == len(self._wanted)
        return [*self._settled, self._span()] if self._length >= _SHORTEST_FRAGMENT or is_whole else self._settled

    @property
    def _growing(self) -> str:
        return self._wanted[self._begin : self._begin + self._length]

    def _span(self) -> Span:
        following = self._alignment.encoded.find(self._growing, self._after)
        start = following if following >= 0 else self._place
        return start, start + self._length
