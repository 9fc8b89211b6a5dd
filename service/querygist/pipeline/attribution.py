"""Attribution: the places of the document that a summary is copied from, and how much of it is.

Extractive fragments after Grusky, Naaman and Artzi, "Newsroom" (NAACL 2018, section 4): the summary is read from the
left, and what stands longest in the document at each place is a fragment. Every distinct word becomes one character,
so that finding a run of words is finding a substring, which Python does in C and in linear time.
"""

from dataclasses import dataclass

from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import Span, words

_SHORTEST_FRAGMENT = 3  # words; shorter matches are chance


@dataclass(frozen=True, slots=True)
class Attribution:
    """`sources`: spans of `document.source`, sorted, disjoint. `copied`: 0 to 1."""

    sources: tuple[Span, ...]
    copied: float


def attribute(summary: str, document: CleanDocument) -> Attribution:
    """Find the summary in the document, ignoring case, punctuation and blanks.

    `sources` are the places of its fragments of at least three words, or of the whole summary if that is shorter.
    `copied` is the share of the summary's word bigrams that the document has (of a single word: whether it does).
    """
    codes: dict[str, str] = {}
    spans = words(document.text)
    text = _encode(document.text, spans, codes)
    wanted = _encode(summary, words(summary), codes)
    if not wanted:
        return Attribution((), 0.0)
    pairs = [wanted[i : i + 2] for i in range(len(wanted) - 1)] or [wanted]
    copied = sum(pair in text for pair in pairs) / len(pairs)
    places = _merge([document.to_source(spans[a][0], spans[b - 1][1]) for a, b in _merge(_fragments(wanted, text))])
    return Attribution(tuple(places), copied)


def _encode(text: str, spans: list[Span], codes: dict[str, str]) -> str:
    """One character for each word, the same for words that differ in case only."""
    return "".join([codes.setdefault(text[start:end].casefold(), chr(len(codes))) for start, end in spans])


def _fragments(wanted: str, text: str) -> list[Span]:
    """Spans of words of `text`, in the order in which `wanted` uses them."""
    shortest = min(_SHORTEST_FRAGMENT, len(wanted))
    found: list[Span] = []
    begin = after = 0
    while begin <= len(wanted) - shortest:
        length, place = shortest - 1, 0
        # Wherever the fragment of this length first stands, no longer one stands before.
        while begin + length < len(wanted) and (next_ := text.find(wanted[begin : begin + length + 1], place)) >= 0:
            length, place = length + 1, next_
        if length < shortest:
            begin += 1
            continue
        following = text.find(wanted[begin : begin + length], after)
        start = following if following >= 0 else place
        after = start + length
        found.append((start, after))
        begin += length
    return found


def _merge(spans: list[Span]) -> list[Span]:
    """The spans in order, those that touch or overlap made one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
