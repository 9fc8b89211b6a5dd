"""Quotations and brackets: places that a sentence does not end at, because what it opened is still open."""

import re

_REACH = 300  # characters: a longer quotation is cut into its sentences
_WIDE_REACH = 120  # of the scripts that put a word into two characters
_DEEPEST = 3  # brackets inside of brackets
_MARKS = re.compile(r"""["'“„‚«»‹›‘「『（【《〈(\[]""")
_PAIRS = (
    "“”",
    "„“”",
    "‚‘’",
    "‘’",
    "«»",
    "»«",
    "‹›",
    "›‹",
    '""',
    "''",
    "「」",
    "『』",
    "（）",
    "【】",
    "《》",
    "〈〉",
    "()",
    "[]",
)
_CLOSERS = {pair[0]: pair[1:] for pair in _PAIRS}
_STOPS = {pair[0]: re.compile(rf"\n|[{re.escape(pair)}]") for pair in _PAIRS}
_BREAK = re.compile(r"\n(?:[^\S\n]*\n|\s*(?:[-*•‣◦▪●]|\d{1,3}\.)\s)")  # a blank line, an item: left open after all


class Enclosures:
    """The quotations and brackets of one text, found from left to right, each looked for within a bounded reach."""

    def __init__(self, text: str, *, final: bool) -> None:
        """`final`: the text is complete, so that what is open at its end stays open."""
        self._text = text
        self._final = final
        self._seen = 0  # everything before is decided
        self._closed = 0  # where the last one closed

    def open_at(self, start: int, place: int) -> bool | None:
        """True when something opened in `start:place` closes behind `place`; None while that is unknown.

        Ask for growing places only.
        """
        self._seen = max(self._seen, start)
        while self._seen < place:
            mark = _MARKS.search(self._text, self._seen, place)
            if not mark:
                self._seen = place
                break
            if self._opens(mark.start()):
                close = self._close_of(mark.start())
                if close is None:
                    return None
                self._closed = close
                self._seen = max(close, mark.end())
            else:
                self._seen = mark.end()
        return place < self._closed

    def _opens(self, place: int) -> bool:
        mark, before, after = self._text[place], self._text[place - 1 : place], self._text[place + 1 : place + 2]
        if mark in "「『（【《〈":
            return True
        if mark == "«":
            return not (before.isalnum() or before in set(".!?…,"))
        if after.isspace():
            return False
        if mark in "([":
            return True
        return not before or before.isspace() or before in "([{—–-:/\"'“‘„" or (mark == "“" and not before.isascii())

    def _close_of(self, place: int) -> int | None:
        """Return the place behind the mark that closes this one, 0 if none does, None if one may yet come."""
        text, mark = self._text, self._text[place]
        limit = place + (_WIDE_REACH if mark in "「『（【《〈" else _REACH)
        depth = 1
        at = place + 1
        while depth and (found := _STOPS[mark].search(text, at, limit)):
            at = found.end()
            if at == len(text) and not self._final:
                return None  # what follows the mark tells a quotation's end from an apostrophe
            step = self._step(mark, found.start())
            if step is None or depth + step > _DEEPEST:
                return 0
            depth += step
        if not depth:
            return at
        return 0 if self._final or len(text) >= limit else None

    def _step(self, mark: str, place: int) -> int | None:
        """Return the change of depth at this place behind an opening `mark`; None if that was left open."""
        stop, before, after = self._text[place], self._text[place - 1], self._text[place + 1 : place + 2]
        if stop == "\n":
            return None if _BREAK.match(self._text, place) else 0
        if stop not in _CLOSERS[mark]:
            return 1
        if mark == '"':
            return None if after.isalnum() or before.isspace() else -1  # None: another one opens
        if mark in "'‘‚" and after.isalnum():
            return 0  # an apostrophe
        return None if mark == "'" and before not in ".!?…," else -1  # None: "the dogs' home"
