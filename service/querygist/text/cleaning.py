"""Text from outside to clean text, with the way back to the places it came from.

Clean means: Unicode NFC, no controls, no zero-width or bidirectional format characters, blanks collapsed, and nothing
in it that reads as one of the chat model's control tokens or as the prompt's fence.
"""

import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from querygist.errors import UnprocessableText
from querygist.text.blocks import Block
from querygist.text.html import visible_text
from querygist.text.unicode import BLANKS, CLUSTER, PICTOGRAPH, SINGLETONS, UNSPACED, UNTIDY, one_line, tidied

ContentType = Literal["text/plain", "text/html"]

FENCE_OPEN, FENCE_CLOSE = "<document>", "</document>"
"""What stands around the document in the prompt; no cleaned text contains either."""

_LONGEST_CLUSTER = 32  # NFC is quadratic in it; the Unicode "Stream-Safe Text Format" allows 30 marks (UAX 15, 13)

_CONTROL_TOKEN = re.compile(
    r"<\|(?:[^<>|\s]*\|>)?"  # <|im_end|> and all its like: without its first two characters none is one
    r"|</?(?:repo_?name|file_sep|filename|gh_stars|issue_(?:start|comment|closed)"  # the shipped vocabulary's others
    r"|jupyter_(?:start|text|code|output|script)|empty_output)>"
    rf"|<\s*/?\s*{re.escape(FENCE_OPEN.strip('<>'))}\b[^<>]*>?",  # the prompt's fence, open and close
    re.IGNORECASE,
)
_DEFUSED = str.maketrans("<>", "‹›")  # one character for one, so that offsets survive

_BINARY = re.compile(r"[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffd]")
_BINARY_SAMPLE, _BINARY_LEAST, _BINARY_SHARE = 10_000, 8, 0.05
_LONGEST_WORD = 100
_PARAGRAPH = re.compile(r"\S(?:.|\n(?!\n))*")
_WORD_BY_ITSELF = re.compile(rf"[{UNSPACED}]|{PICTOGRAPH}")


@dataclass(frozen=True, slots=True, eq=False)
class _Alignment:
    """Source places of the pieces of an edited text: piece k, at `target[k]`, is from `start[k]` to `end[k]`.

    A piece as long as its origin is a copy, character by character; of the others only the whole is known.
    """

    target: "array[int]" = field(default_factory=lambda: array("I"))
    start: "array[int]" = field(default_factory=lambda: array("I"))
    end: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, target: int, start: int, end: int) -> None:
        self.target.append(target)
        self.start.append(start)
        self.end.append(end)

    def to_origin(self, start: int, end: int) -> tuple[int, int]:
        first, last = bisect_right(self.target, start) - 1, bisect_right(self.target, end - 1) - 1
        origin, limit = self.start[first], self.end[last]
        if self._copied(first):
            origin += start - self.target[first]
        if self._copied(last):
            limit = self.start[last] + end - self.target[last]
        return origin, limit

    def _copied(self, piece: int) -> bool:
        return self.target[piece + 1] - self.target[piece] == self.end[piece] - self.start[piece]


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """`text` is what the model sees; `source` is what offsets count in: the submitted text, or that of its HTML.

    Neither shows in the representation, which may end up in a log.
    """

    text: str = field(repr=False)
    source: str = field(repr=False)
    _alignments: tuple[_Alignment, ...] = field(default=(), repr=False)
    blocks: tuple[Block, ...] = field(default=(), repr=False)

    def to_source(self, start: int, end: int) -> tuple[int, int]:
        """The span of `source` that a span of `text` (0 <= start < end <= len(text)) comes from, in code points."""
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"span {start}:{end} is empty or outside of a text of {len(self.text)} characters")
        for alignment in reversed(self._alignments):
            start, end = alignment.to_origin(start, end)
        return start, end


def _edit(text: str, start: int, end: int, edits: Iterator[tuple[int, int, str]]) -> tuple[str, _Alignment | None]:
    """`text[start:end]` with the edits (from, to, replacement) made; no alignment when offsets are the same."""
    pieces: list[str] = []
    alignment = _Alignment()
    copied = position = start
    length = 0  # of the text so far, up to `position`
    for begin, stop, replacement in edits:
        pieces += text[copied:begin], replacement
        copied = stop
        if len(replacement) == stop - begin:
            continue
        if begin > position:
            alignment.add(length, position, begin)
            length += begin - position
        if replacement:
            alignment.add(length, begin, stop)
            length += len(replacement)
        position = stop
    pieces.append(text[copied:end])
    if position < end:
        alignment.add(length, position, end)
        length += end - position
    alignment.add(length, end, end)  # where the last piece ends
    return "".join(pieces), None if (start, position) == (0, 0) else alignment


def _tidied(text: str) -> tuple[str, _Alignment | None]:
    """Invisible characters removed, blanks collapsed; see `unicode.UNTIDY`."""
    start, end = len(text) - len(text.lstrip(BLANKS)), len(text.rstrip(BLANKS))
    runs = ((*run.span(), tidy) for run in UNTIDY.finditer(text, start, end) if (tidy := tidied(run)) != run[0])
    return _edit(text, start, max(start, end), runs)


def _composed(text: str) -> tuple[str, _Alignment | None]:
    """NFC, cluster by cluster, and at most 31 marks on a character."""
    if unicodedata.is_normalized("NFC", text):
        return text, None
    text = text.translate(SINGLETONS)

    def edits() -> Iterator[tuple[int, int, str]]:
        for cluster in CLUSTER.finditer(text):
            composed = unicodedata.normalize("NFC", cluster[0][:_LONGEST_CLUSTER])
            if composed != cluster[0]:
                yield *cluster.span(), composed

    return _edit(text, 0, len(text), edits())


def _clean(source: str) -> CleanDocument:
    tidy, first = _tidied(source)
    composed, second = _composed(tidy)
    text = _CONTROL_TOKEN.sub(lambda token: token[0].translate(_DEFUSED), composed)
    return CleanDocument(text, source, tuple(alignment for alignment in (first, second) if alignment))


def _refuse_unreadable(text: str, name: str) -> None:
    """Raise UnprocessableText for what is not text."""
    if (position := text.find("\0")) >= 0:
        raise UnprocessableText(
            f"The {name} has a NUL character at position {position}: it looks like binary data. Send text."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnprocessableText(
            f"The {name} has half of a surrogate pair (U+{ord(text[error.start]):04X}) at position {error.start}: "
            "it was cut inside of a character, or decoded wrongly. Send whole characters."
        ) from None
    sample = text[:_BINARY_SAMPLE]
    strange = len(_BINARY.findall(sample))
    if strange >= _BINARY_LEAST and strange > _BINARY_SHARE * len(sample):
        raise UnprocessableText(
            f"The {name} looks like binary data, or text in a wrong encoding: {strange} of its first {len(sample)} "
            "characters are control or replacement characters. Send text, decoded to Unicode."
        )


def clean_document(text: str, *, content_type: ContentType) -> CleanDocument:
    """A document for the model. Raises UnprocessableText when there is nothing in it that can be summarized.

    Of HTML the visible text is taken; its offsets count in that text as the model sees it, so `source` is `text`.
    """
    _refuse_unreadable(text, "document")
    if content_type == "text/html":
        seen = _clean(visible_text(text)).text
        clean = CleanDocument(seen, source=seen)
        empty = "The HTML has no text outside of scripts, navigation and hidden elements. Send a page with text in it."
    else:
        clean = _clean(text)
        empty = "The document is empty, or has nothing but blanks and invisible characters. Send some text."
    paragraphs = tuple(Block("paragraph", *found.span()) for found in _PARAGRAPH.finditer(clean.text))
    clean = replace(clean, blocks=paragraphs)
    if not clean.text:
        raise UnprocessableText(empty)
    if not _has_word(clean.text):
        raise UnprocessableText(
            f"The document has no readable word: each is longer than {_LONGEST_WORD} characters, or has no letter. "
            "Send text, not encoded data."
        )
    return clean


def _has_word(text: str) -> bool:
    short = (word for word in text.split() if len(word) <= _LONGEST_WORD)
    return any(any(map(str.isalnum, word)) for word in short) or _WORD_BY_ITSELF.search(text) is not None


def clean_query(text: str) -> str:
    """A query, on one line. Raises UnprocessableText when nothing of it is left."""
    query = _clean_line(text, "query")
    if not query:
        raise UnprocessableText(
            "The query is empty, or has nothing but blanks and invisible characters. Ask something."
        )
    return query


def clean_title(text: str) -> str:
    """A title, on one line; "" when nothing of it is left. Raises UnprocessableText for what is not text."""
    return _clean_line(text, "title")


def _clean_line(text: str, name: str) -> str:
    _refuse_unreadable(text, name)
    return _clean(one_line(text)).text
