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
        self.words = words(text)
        self._text = self._encode(text, self.words)

    def copied(self, text: str) -> float:
        """The share of the text's word bigrams that the page has; of a single word, whether it has it."""
        wanted = self._encode(text, words(text))
        pairs = [wanted[i : i + 2] for i in range(len(wanted) - 1)] or [wanted]
        return sum(pair in self._text for pair in pairs) / len(pairs) if wanted else 0.0

    def fragments(self, text: str) -> list[Span]:
        """Spans of `words`, in the order in which the text uses them: of three words or more, or all of the text."""
        wanted = self._encode(text, words(text))
        shortest = min(_SHORTEST_FRAGMENT, len(wanted))
        found: list[Span] = []
        begin = after = 0
        while shortest and begin <= len(wanted) - shortest:
            length, place = shortest - 1, 0
            # Wherever the fragment of this length first stands, no longer one stands before.
            while (
                begin + length < len(wanted)
                and (next_ := self._text.find(wanted[begin : begin + length + 1], place)) >= 0
            ):
                length, place = length + 1, next_
            if length < shortest:
                begin += 1
                continue
            following = self._text.find(wanted[begin : begin + length], after)
            start = following if following >= 0 else place
            after = start + length
            found.append((start, after))
            begin += length
        return found

    def places(self, span: Span) -> Span:
        """The words that stand in characters `span` of the page, as a span of `words`."""
        first = bisect_right(self.words, span[0], key=lambda word: word[1])
        last = bisect_right(self.words, span[1] - 1, key=lambda word: word[0])
        return first, max(first, last)

    def _encode(self, text: str, spans: list[Span]) -> str:
        """One character for each word, the same for words that differ in case only."""
        codes = self._codes
        return "".join([codes.setdefault(text[start:end].casefold(), chr(len(codes))) for start, end in spans])
