"""Numbers and names that a summary has and its document does not: what a small model makes up most visibly.

A rule, not a reader. It looks for each number and each capitalized word that does not begin a sentence, in any spelling
it knows. What is copied from the document as it stands is supported. What it cannot see: a number or name of
the document in the wrong place, and an invention without capitals.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from querygist.text.sentences import sentence_spans, terms, words
from training.generate.numerals import Reading, number_values, numbers

_LETTERS = re.compile(r"[^\W\d_]+")
_MIXED = re.compile(r"(?=[^\W_]*\d)(?:\d*[^\W\d_]+\d*)+")
"""A word of letters and figures, like COVID19."""

_LINKED = re.compile(r"[^\W_]+(?:[.\-‐‑&'’][^\W_]+)+")
"""Parts that some write as one word: U.S, Wi-Fi, AT&T."""

_OPENS = re.compile(r"[:;\"“”«»„•*—–|!?…\n]|\s-\s|\.\.|\d[.)]\s")
"""Between two words: what follows may begin a sentence of its own, a quotation or an item."""

_ITEM = re.compile(r"(?:^|(?<=\n)|(?<=[.:;!?)*\"”] ))\(?(\d{1,2})[.)]\s")
"""The number of an item in a list counts nothing."""

_NO_NAME = re.compile(r".|I['’].*")
"""An initial, or "I" and "I'm"."""


def unsupported_facts(text: str, document: str) -> list[str]:
    """Numbers and names of `text` that `document` does not have, as they are written there but for accents, each once,
    in order.

    Numbers are compared by value ("1,000" is 1000 and "a thousand"), names without case, accents, plural and
    possessive endings, joined or hyphenated.
    """
    if text in document:
        return []
    text = _folded(text)
    values, known = _facts(document)
    items = {item.start(1) for item in _ITEM.finditer(text)}
    found = [
        (one.start, text[one.start : one.end])
        for one in numbers(text)
        if not (one.ambiguous or one.readings & values or one.start in items)
    ]
    found += [(start, word) for start, word in _names(text) if not _is_known(word, known)]
    return list(dict.fromkeys(written for _, written in sorted(found)))


@lru_cache(maxsize=64)
def _facts(document: str) -> tuple[frozenset[Reading], frozenset[str]]:
    """Values of its numbers; stems of its words, also as others divide and join them."""
    text = _folded(document)
    linked = " ".join(re.sub(r"[\W_]", "", found[0]) for found in _LINKED.finditer(text))
    parts = " ".join(part for mixed in _MIXED.findall(text) for part in _LETTERS.findall(mixed))
    return number_values(text), frozenset(terms(f"{text} {linked} {parts}", common=True))


def _folded(text: str) -> str:
    """Without accents and other marks."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def _names(text: str) -> Iterator[tuple[int, str]]:
    """Start and text of each word whose capital is not owed to its place."""
    for begin, end in sentence_spans(text):
        previous: int | None = None
        for start, stop in ((begin + a, begin + b) for a, b in words(text[begin:end])):
            word = text[start:stop]
            opens = previous is None or _OPENS.search(text, previous, start) is not None
            if _LETTERS.search(word):  # the number of an item is not yet the sentence
                previous = stop
            inner = any(map(str.isupper, word[1:]))
            if (inner or (word[0].isupper() and not opens)) and not _NO_NAME.fullmatch(word):
                yield start, word


def _is_known(word: str, known: frozenset[str]) -> bool:
    """Return whether the document has the word, or it is one of the commonest English ones."""
    return known.issuperset(terms(word, common=word.isupper()))
