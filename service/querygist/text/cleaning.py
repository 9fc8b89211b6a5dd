"""Text from outside to clean text, with the way back to the places it came from.

Clean means: Unicode NFC, no controls, no zero-width or bidirectional format characters, blanks collapsed, and nothing
in it that reads as one of the chat model's control tokens or as the prompt's fence.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from querygist.errors import UnprocessableText
from querygist.text.blocks import Block
from querygist.text.edits import Alignment, clean_piece, compose, tidy
from querygist.text.html.page import page_drafts
from querygist.text.lines.page import line_drafts
from querygist.text.outline import blocks_of, outlined, placed
from querygist.text.unicode import PICTOGRAPH, UNSPACED, one_line

ContentType = Literal["text/plain", "text/html"]

FENCE_OPEN, FENCE_CLOSE = "<document>", "</document>"
"""What stands around the document in the prompt; no cleaned text contains either."""

_CONTROL_TOKEN = re.compile(
    r"<\|(?:[^<>|\s]*\|>)?"  # <|im_end|> and all its like: without its first two characters none is one
    r"|</?(?:repo_?name|file_sep|filename|gh_stars|issue_(?:start|comment|closed)"  # the shipped vocabulary's others
    r"|jupyter_(?:start|text|code|output|script)|empty_output)>"
    rf"|<\s*/?\s*{re.escape(FENCE_OPEN.strip('<>'))}\b[^<>]*>?",  # the prompt's fence, open and close
    re.IGNORECASE,
)
_DEFUSED = str.maketrans("<>", "‹›")  # one character for one, so that offsets survive

_WIDE_BLANK = re.compile(r"(?<=\S)(?:[ \u00a0]*\t[ \u00a0\t]*|   +)(?=\S)")

_BINARY = re.compile(r"[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffd]")
_BINARY_SAMPLE, _BINARY_LEAST, _BINARY_SHARE = 10_000, 8, 0.05
_LONGEST_WORD = 100
_WORD_BY_ITSELF = re.compile(rf"[{UNSPACED}]|{PICTOGRAPH}")


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """`text` is what the model sees; `source` is what offsets count in: the submitted text, or that of its HTML.

    `blocks` are the pieces of `text` in page order. Nothing of a document shows in the representation, which may end up
    in a log.
    """

    text: str = field(repr=False)
    source: str = field(repr=False)
    _alignments: tuple[Alignment, ...] = field(default=(), repr=False)
    blocks: tuple[Block, ...] = field(default=(), repr=False)

    def to_source(self, start: int, end: int) -> tuple[int, int]:
        """The span of `source` that a span of `text` (0 <= start < end <= len(text)) comes from, in code points."""
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"span {start}:{end} is empty or outside of a text of {len(self.text)} characters")
        for alignment in reversed(self._alignments):
            start, end = alignment.to_origin(start, end)
        return start, end


def _defused(text: str) -> str:
    return _CONTROL_TOKEN.sub(lambda token: token[0].translate(_DEFUSED), text)


def _clean(source: str) -> CleanDocument:
    tidied, first = tidy(source)
    composed, second = compose(tidied)
    return CleanDocument(_defused(composed), source, tuple(alignment for alignment in (first, second) if alignment))


def _clean_lines(source: str) -> CleanDocument:
    """A plain text or Markdown page with its blocks."""
    clean = _clean(source)
    drafts = outlined(line_drafts(clean.text, _gaps(clean)))
    return replace(clean, blocks=blocks_of(drafts, clean.text))


def _gaps(clean: CleanDocument) -> frozenset[int]:
    """Places of the blanks of the clean text that were tabs or many, as between the columns of a table."""
    places = []
    for gap in _WIDE_BLANK.finditer(clean.source):
        place = gap.start()
        for alignment in clean._alignments:
            place = alignment.to_target(place)
        places.append(place)
    return frozenset(place for place in places if clean.text[place : place + 1] == " ")


def _clean_page(html: str) -> CleanDocument:
    """An HTML page with its blocks. It is put together of clean pieces, so their places are known."""
    text, drafts = placed(outlined(page_drafts(html)), clean_piece)
    text = _defused(text)
    return CleanDocument(text, source=text, blocks=blocks_of(drafts, text))


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
        clean = _clean_page(text)
        empty = "The HTML has no text outside of scripts, navigation and hidden elements. Send a page with text in it."
    else:
        clean = _clean_lines(text)
        empty = "The document is empty, or has nothing but blanks and invisible characters. Send some text."
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
