"""The decision on the end of a line: also the end of a sentence, or a place where running text was wrapped."""

import re

from querygist.text.sentence_ends import abbreviations
from querygist.text.sentence_ends.full_stops import last_word, next_word
from querygist.text.unicode import UNSPACED

_SHORT_LINE = 50  # characters; a line that breaks earlier was not wrapped: a heading, an item, a row of a table
_SHORT_WIDE_LINE = 25  # characters of the scripts that are twice as wide
_LEADS_ON = ",、，،-‐/&"
_LONG_HEADING = 4  # spaces
_LEAST_WRAP = 20  # characters of the line above, to tell by its length that this one was wrapped too
_WRAPPED_SHARE = 0.75  # of the line above: what a wrapped line has at least
_WIDE = re.compile(f"[{UNSPACED}]")


def _line_start(text: str, start: int, end: int) -> int:
    return text.rfind("\n", start, end) + 1 or start


def is_short_line(text: str, start: int, end: int) -> bool:
    """True when the line that ends here, of the sentence begun at `start`, is too short to have been wrapped."""
    return end - _line_start(text, start, end) < _SHORT_LINE


def line_ends(text: str, start: int, end: int, after: int, *, final: bool) -> bool | None:
    """Decide on a line without a full stop that is not followed by a small letter."""
    line_start = _line_start(text, start, end)
    line = text[line_start:end].strip()
    word = last_word(text, line_start, end).casefold()
    if line[-1:] in _LEADS_ON or word in abbreviations.GOES_ON:
        return False
    if word in abbreviations.MAY_GO_ON and (text[after].isdigit() or line.count(" ") >= _LONG_HEADING):
        return False
    if len(line) >= _SHORT_LINE or (
        len(line) >= _SHORT_WIDE_LINE and _WIDE.match(line[-1]) and _WIDE.match(text[after])
    ):
        return False
    above = text[text.rfind("\n", start, max(start, line_start - 1)) + 1 or start : max(start, line_start - 1)].strip()
    if len(above) < _LEAST_WRAP or len(line) < _WRAPPED_SHARE * len(above):
        return True
    following = next_word(text, after, final=final)
    return len(line) + 1 + len(following) <= len(above) if following else None
