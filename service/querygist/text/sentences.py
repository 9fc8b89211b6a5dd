"""Sentences and words of plain text in any script.

A sentence end found in the beginning of a text is one in the whole text, so that a stream may act on it.
"""

import re
import threading
from collections.abc import Iterator

import regex
from Stemmer import Stemmer

from querygist.text.sentence_ends.breaks import breaks
from querygist.text.unicode import LETTER, MARK, SYMBOL, UNSPACED

Span = tuple[int, int]
"""Start and end of a piece of text, in code points, the end excluded."""

_RUN = rf"{LETTER}+(?:{MARK}+{LETTER}*)*"
_GRAM = 4
_WORD = re.compile(rf"{_RUN}(?:(?:['’]|(?<=\d)[.,](?=\d)){_RUN})*|(?:(?=\S)[{UNSPACED}]|{SYMBOL}){MARK}*")


def _all_of(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


_STOP_WORDS = _all_of(
    "a about an and any are as at be been but by can could did do does for from had has have he her his how i if in "
    "into is it its me my of on or our she should so than that the their them then there these they this those to was "
    "we were what when where which who whom whose why will with would you your"
)
_BETWEEN_BLANKS = re.compile(r"\S+")
_COMMAS = "，、；：,;:"
_CLUSTER = regex.compile(r"[\u0e40-\u0e44\u0ec0-\u0ec4]?\X")  # a vowel written before its consonant, of Thai and Lao
_threads = threading.local()


def sentence_ends(text: str) -> list[int]:
    """Positions in `text` behind each sentence that is certain to be over, whatever may yet be appended.

    The last sentence is not among them: only what follows a full stop tells whether it ended the sentence.
    """
    return [found.end for found in breaks(text, final=False) if found.certain]


def first_sentence(text: str) -> str:
    """The beginning of `text` that is certain to be in its first sentence, whatever may yet be appended."""
    first = next(breaks(text, final=False), None)
    return text[: first.end] if first else text


def ends_with_sentence(text: str) -> bool:
    """True when the last sentence of `text` is over, were another one to follow."""
    return len(text) in sentence_ends(f"{text} The ")


def sentence_spans(text: str) -> list[Span]:
    """The sentences in order, without blanks around them; together they hold every character that is not blank."""
    spans = []
    start = len(text) - len(text.lstrip())
    for end, following, _ in breaks(text, final=True):
        while text[end - 1].isspace() and end > start:
            end -= 1  # noqa: PLW2901
        if end > start:
            spans.append((start, end))
        start = max(start, following)
    end = len(text.rstrip())
    return [*spans, (start, end)] if end > start else spans


def bounded_spans(text: str, *, max_words: int = 80, max_chars: int = 600) -> list[Span]:
    """`sentence_spans`, those too long cut between words, and words too long cut anywhere."""
    spans: list[Span] = []
    for start, end in sentence_spans(text):
        if end - start <= max_chars and (end - start < 2 * max_words or len(text[start:end].split()) <= max_words):
            spans.append((start, end))
        else:
            spans += _cut(text, start, end, max_words, max_chars)
    return spans


def _cut(text: str, start: int, end: int, max_words: int, max_chars: int) -> Iterator[Span]:
    """Pieces of a long sentence, as long as the bounds allow."""
    first, last, count = start, start, 0
    for begin, stop in _short_words(text, start, end, max_chars):
        if count and (count == max_words or stop - first > max_chars):
            yield first, last
            count = 0
        if not count:
            first = begin
        last, count = stop, count + 1
    yield first, last


def _short_words(text: str, start: int, end: int, max_chars: int) -> Iterator[Span]:
    """Yield the runs without blanks; one too long is cut behind a comma, or else between two characters as seen."""
    for word in _BETWEEN_BLANKS.finditer(text, start, end):
        begin, stop = word.span()
        while stop - begin > max_chars:
            limit = begin + max_chars
            comma = max(text.rfind(mark, begin + max_chars // 2, limit) for mark in _COMMAS) + 1
            cut = comma or _cluster_start(text, begin, limit)
            yield begin, cut
            begin = cut
        yield begin, stop


def _cluster_start(text: str, begin: int, limit: int) -> int:
    """Return the last place up to `limit` that is not inside of a character as a reader sees it, but not `begin`."""
    for cluster in _CLUSTER.finditer(text[begin : limit + 1]):
        if begin + cluster.end() > limit:
            return begin + cluster.start() if cluster.start() else limit
    return limit


def words(text: str) -> list[Span]:
    """Words to match by: runs of letters and digits with their inner apostrophes and decimal points, each character
    of a script without spaces, each symbol. Punctuation is left out.
    """
    return [found.span() for found in _WORD.finditer(text)]


def grams(text: str, *, common: bool = False) -> list[str]:  # noqa: ARG001  called as `terms` is
    """Pieces of four characters of each word, casefolded; a shorter word as it is. For languages whose endings and
    compounds nobody here knows.
    """
    found = _WORD.findall(text.casefold())
    return [word[start : start + _GRAM] for word in found for start in range(max(1, len(word) - _GRAM + 1))]


def terms(text: str, *, common: bool = False) -> list[str]:
    """Words to search by: casefolded, reduced to English stems, and unless `common` without the commonest English ones.

    Words of other languages pass as they are, or lose what looks like an English ending, in query and document alike.
    """
    found = _WORD.findall(text.casefold().replace("’", "'"))
    kept = found if common else [word for word in found if word not in _STOP_WORDS]
    try:
        stemmer: Stemmer = _threads.stemmer  # a Stemmer must not be shared by threads
    except AttributeError:
        stemmer = _threads.stemmer = Stemmer("english")
    stems: list[str] = stemmer.stemWords(kept)
    return stems
