"""Kinds of single lines of text: headings, markers of lists, code, facts."""

import re
from itertools import pairwise

from querygist.text.unicode import UNSPACED

BULLET = re.compile(r"(?:[-*+•‣◦▪●·–—⁃○■□✓✔]|\(?\d{1,3}[.)]|\(?[a-zA-Z]\))\s+(?:\[[ xX]\]\s+)?(?=\S)")
NUMBER = re.compile(r"\(?(\d{1,3})[.)]\s+")
ATX = re.compile(r"(#{1,6})\s+(?=\S)")
UNDERLINE = re.compile(r"={3,}|-{3,}")
RULE = re.compile(r"(?:[-*_=~+]\s?){3,}")
FENCE = re.compile(r"(?:```+|~~~+)[^`]{0,40}")
QUOTE = re.compile(r"(?:>\s?)+(?=[^>\s])")

_LONGEST, _MOST_WORDS, _FEW_WORDS = 75, 12, 8
_LONGEST_UNSPACED = 25
_WRAPPED = 50  # characters; a line that breaks earlier was not wrapped, unless words tell
_UNSPACED = re.compile(f"[{UNSPACED}]")
_SENTENCE_END = re.compile(r"[.!。！…।॥۔։][\"'”’»)\]]*$")
_ANY_END = re.compile(r"[.!?](?:\s|$)")
_INNER_END = re.compile(r"[a-z]{2}[.!?]\s+[A-Z]|[。！？]\s*\S")
_PAIR = re.compile(r"[^\W\d_][^:：]{0,38}[:：]\s+\S|\d{4}[:：]\s")
_LONGEST_KEY = 4
_LONGEST_CODE = 200  # characters; its patterns take time by the square
_NUMERIC = re.compile(
    r"\d[\d.,]*\s?(?:%|€|\$|£|¥|°|[ap]\.?m\b|euros?\b|dollars?\b|kg\b|g\b|km\b|cm\b|mm\b|m\b|ml\b|l\b|h\b|min\b|hours?\b|"
    r"days?\b|weeks?\b|minutes?\b|mAh\b|GB\b|MB\b|Uhr\b)|[€$£¥]\s?\d|\d:\d\d|\d[.,]\d|\d{5}|\+\d",
    re.IGNORECASE,
)
_COMMA_AND_DIGIT = re.compile(r",.*\d|\d.*,")
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|[A-Z]\.|§\s?\d+\w?)\s+[^\W\d_]")
_CODE = re.compile(
    r"(?:\$|>>>|#!|//|/\*)\s*\S|.*(?:[;{}]|\);?|\\)$|[\w.\[\]\"']+\s*(?:=|\+=|:=|=>|->)\s*\S|(?:def|class|import|from|return|"
    r"sudo|npm|pip3?|git|docker|curl|cd|apt(?:-get)?|brew|SELECT|INSERT|UPDATE|export|const|let|var|func|fn)\s+\S"
    r"|.*\s--?[a-z][\w-]*|</?\w+[^>]*>"
)
_CODE_SURE = re.compile(
    r".*[\w\])\"']\(.*\);?$|.*[(){}=<>\[\]].*;$|[\w.\[\]\"']+\s*(?:\+?=|:=)\s*[\w\"'(\[{]|(?:\$|>>>)\s\S|[}\])]+[;,]?$|.*\{$"
)
_PROSE = re.compile(r"[a-z,]{2,}\s[a-z]{2,}\s[a-z]{2,}\s[a-z]{2,}")
_OPEN_WORDS = (
    "a an the of in on at to by for from with and or but as that which who is was were are be has had have than "
    "into der die das den dem des ein eine einer und oder von vom in im am auf mit für zu zur zum aus bei ist war "
    "dass als le la les un une des du de et ou à au aux en dans par pour sur avec que qui est el los las una y o "
    "del al por con para su se"
)
OPEN_WORDS = frozenset(_OPEN_WORDS.split())


def ends_sentence(line: str) -> bool:
    """True for a line that ends as a sentence does."""
    return _SENTENCE_END.search(line) is not None or line[-1] == "?"


def is_short(line: str) -> bool:
    """True for a line that may be a heading or an item: few words, and no sentence in it that ends."""
    if len(line) > _LONGEST or _SENTENCE_END.search(line) or line[-1] in ",;" or _INNER_END.search(line):
        return False
    if _UNSPACED.search(line) and len(line) > _LONGEST_UNSPACED:
        return False
    return len(line.split()) <= _MOST_WORDS


def is_pair(line: str) -> bool:
    """True for "Key: value"."""
    return _PAIR.match(line) is not None and len(re.split("[:：]", line, maxsplit=1)[0].split()) <= _LONGEST_KEY


def is_code(line: str, *, among_code: bool = False) -> bool:
    """True for a line of code or a command; `among_code` when one stands beside it."""
    if len(line) > _LONGEST_CODE or (_SENTENCE_END.search(line) and not line.endswith(")")):
        return False
    if _PROSE.search(line) and not line.startswith(("$ ", ">>> ")):
        return False
    return (_CODE if among_code else _CODE_SURE).match(line) is not None


def is_value(line: str) -> bool:
    """True for a key and a value in figures, which is no title."""
    return is_pair(line) and any(character.isdigit() for character in re.split("[:：]", line, maxsplit=1)[1])


def is_fact(line: str) -> bool:
    """True for a short line that says something by itself: a key and its value, a price, a time, an address."""
    if line.endswith("?"):
        return False
    if is_pair(line) or _NUMERIC.search(line) or _COMMA_AND_DIGIT.search(line) or line[0].islower():
        return True
    return line[0].isdigit() and not _NUMBERED.match(line)


def is_plain(line: str) -> bool:
    """True for a short line without anything of a fact: no digit, comma, value, code or small first letter."""
    if line.endswith("?"):
        return True
    bare = re.sub(r"^(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]+\.)\s+(?=[^\W\d_])", "", line)
    return not (
        any(character.isdigit() for character in bare) or "," in line or is_pair(line) or bare[0].islower()
        or is_code(line) or len(line.split()) > _FEW_WORDS
    )  # fmt: skip


def is_heading_like(line: str) -> bool:
    """True for a line that reads as a heading when something follows that it is over."""
    return "\n" not in line and is_short(line) and not is_fact(line) and not is_code(line)


def are_separate_lines(lines: list[str]) -> bool:
    """True for lines that stand by themselves, and are no paragraph that was wrapped."""
    lines = [line.strip() for line in lines]
    if sum(map(is_pair, lines)) >= 2:
        return all(map(is_short, lines))
    if len(lines) < 3 or not all(map(is_short, lines)):
        return False
    return not any(goes_on(line, following) for line, following in pairwise(lines))


def goes_on(line: str, following: str) -> bool:
    """True when a line breaks in mid-sentence."""
    if _SENTENCE_END.search(line) or line[-1] in ":：?":
        return False
    last = line.rsplit(None, 1)[-1]
    if last in OPEN_WORDS or (line[-1] in ",-" and (len(line) >= _WRAPPED // 2 or following[0].islower())):
        return True
    if following[0].islower() and not is_pair(following):
        return len(line) >= _WRAPPED // 2 or _ANY_END.search(following) is not None
    return False
