"""Runs of inline text on their way to blocks: blanks, line breaks, raised and lowered text, elements that touch."""

import re
from dataclasses import dataclass, field

from querygist.text.html import scripts

_BLANK = re.compile(r"[ \t\n\f\r]+")
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n\s*)+")
_ENDS_WORD = re.compile(r"[a-z]{3}$")
_NO_BLANK_BEFORE = frozenset(",.;:!?)]}%’'”»…/-–—°")
_NO_BLANK_AFTER = frozenset("([{$€£¥“«‘/-–—@#")
_TAIL = 48  # characters that tell what a raised number is


@dataclass
class InlineText:
    """The text of one block, collected."""

    pieces: list[str] = field(default_factory=list)
    bold: bool = True
    """All of it is bold so far."""
    _touching: str = ""
    """How elements began and ended since the last piece: "o", "c" or "co"."""

    def add(self, text: str, *, bold: bool, verbatim: bool) -> None:
        """Append text of the page."""
        if verbatim:
            self.pieces.append(text)
            return
        text = _BLANK.sub(" ", text)
        if not text:
            return
        if self._touching:
            if self.pieces and self._parted(self.pieces[-1], text):
                self.pieces.append(" ")
            self._touching = ""
        self.bold = self.bold and (bold or text == " ")
        self.pieces.append(text)

    def put(self, text: str) -> None:
        """Append a character that the page shows and does not hold."""
        self.pieces.append(text)
        self._touching = ""

    def break_line(self) -> None:
        """Append a line break."""
        self.pieces.append("\n")
        self._touching = ""

    def opens(self) -> None:
        """Note that an element begins here."""
        self._touching = "co" if self._touching[:1] == "c" else "o"

    def closes(self) -> None:
        """Note that an element ends here."""
        self._touching = self._touching if self._touching == "co" else "c"

    def _parted(self, before: str, text: str) -> bool:
        """True when a reader sees a gap between two elements, or an element and text, that touch.

        Elements side by side are set apart by style sheets. Not so single letters, nor what belongs to a number or
        name. Between an element and bare text only a change from small letters to a capital or digit tells.
        """
        last, first = before[-1:], text[0]
        if not last or last.isspace() or first.isspace() or first in _NO_BLANK_BEFORE or last in _NO_BLANK_AFTER:
            return False
        if before in (".", ",") and first.isdigit():
            return False
        if self._touching == "co":
            return len(before) > 1 or len(text) > 1
        return (first.isupper() or first.isdigit()) and _ENDS_WORD.search(before[-3:]) is not None

    def script(self, mark: int, *, raised: bool, after: str, linked: bool) -> None:
        """Rewrite what came since `mark` as a superscript or subscript."""
        content = "".join(self.pieces[mark:])
        before = "".join(self.pieces[max(0, mark - 4) : mark])[-_TAIL:]
        del self.pieces[mark:]
        text = scripts.raised(content, before, after, linked=linked) if raised else scripts.lowered(content, before)
        if text:
            self.pieces.append(text)
        self._touching = ""

    def small(self, mark: int) -> None:
        """Set the decimal mark of a price whose cents, since `mark`, are in small print."""
        content = "".join(self.pieces[mark:])
        if cents := scripts.small_cents(content, "".join(self.pieces[max(0, mark - 4) : mark])[-_TAIL:].rstrip()):
            if mark:
                self.pieces[mark - 1] = self.pieces[mark - 1].rstrip()
            self.pieces[mark:] = [cents]

    def take(self) -> tuple[str, bool]:
        """The text so far, and True when all of it is bold; begins anew."""
        text, bold = "".join(self.pieces), self.bold
        self.pieces.clear()
        self.bold, self._touching = True, ""
        return text, bold


def paragraphs(text: str) -> list[str]:
    """The parts of a text that blank lines separate, each with its single line breaks."""
    return [part for part in _BLANK_LINE.split(text) if part.strip()] if "\n" in text else [text]
