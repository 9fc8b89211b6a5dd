"""The decision on one full stop: the end of a sentence, or part of an abbreviation, an initial, an ordinal, a label.

It depends on what stands before it and on the one word behind it, and is put off until that word is complete.
"""

import re

from querygist.text.sentence_ends import abbreviations
from querygist.text.unicode import LETTER

_KNOWN = abbreviations.NEVER_LAST | abbreviations.RARELY_LAST | abbreviations.BEFORE_NUMBER
LONGEST_LABEL = 16
_LONGEST_ABBREVIATION = 16
_LONGEST_WORD = 24  # characters of the next word that are looked at
_LONGEST_PART = 2  # letters of a part of "EE. UU."
_ITEM_REACH = 300  # characters back in which the number of the item before is looked for

_OPENING = "([{\"'“”‘„‚«‹»"
_LABEL = re.compile(r"\s*(?:[-*•‣◦▪●⁃]\s*)?[(\[]?(?:\w|\d{1,3}|[ivx]{1,5})[.)]*\s*")  # "1.", "b)", "iv."
_LISTED = re.compile(r"[:;]\s+[(\[]?\w{1,2}$")  # "To log in: 1."
_ITEM = re.compile(r"\d{1,2}[.)]")
_NUMERAL = re.compile(r"\d{1,3}|[IVX]{2,5}")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,3}\.-?)+[^\W\d_]{1,3}")  # U.S, Ph.D, J.-C
_ONE_LETTER = re.compile(rf"(?!\d){LETTER}")
_SECOND_PART = re.compile(r"[^\W\d_]{1,2}\.|chr\.|J\.-?C", re.IGNORECASE)  # of "z. B.", "EE. UU.", "v. Chr.", "J. K."
_SHORT_BEFORE = re.compile(r"\b[^\W\d_]\.\s?$")
_COUNTED = re.compile(r"(?:[A-Z]|[IVXLC]+)\b(?!['’.])")  # "No. A", "Vol. IV"
_DATED = re.compile(r"\d (?:B\.C|A\.D|B\.C\.E|C\.E)$")
_SECTION = re.compile(r"\d+\.\d")
_HOUR = re.compile(r"[ap]\.m", re.IGNORECASE)
_ELISION = re.compile(r"(?:[ldn]|qu)['’](?=.)", re.IGNORECASE)  # "l'art. 5"
_LETTERS = re.compile(r"[^\W\d_]+['’]?")


def next_word(text: str, place: int, *, final: bool) -> str | None:
    """Return what stands from `place` to the next blank; None if it may go on behind the end of the text."""
    word = text[place : place + _LONGEST_WORD].split(maxsplit=1)[0]
    return None if not final and place + len(word) == len(text) and len(word) < _LONGEST_WORD else word


def last_word(text: str, start: int, end: int) -> str:
    """Return the last word, of a long one its end, without what opens it."""
    near = text[max(start, end - _LONGEST_ABBREVIATION) : end].split()
    if not near:
        return ""
    word = near[-1] if near[-1].isalpha() else near[-1].lstrip(_OPENING)
    return word if word.isalpha() else _ELISION.sub("", word)


def is_label(text: str, start: int, end: int) -> bool:
    """True when the text up to `end`, at most `LONGEST_LABEL`, only numbers or letters what begins there."""
    return _LABEL.fullmatch(text, start, end) is not None


def full_stop_ends(text: str, start: int, dot: int, after: int, *, new_line: bool, final: bool) -> bool | None:
    """True when the full stop at `dot` ends the sentence begun at `start`; None while the word at `after` is unknown.

    `new_line`: a line too short to have been wrapped ends there. `final`: the text is complete.
    """
    word = last_word(text, start, dot)
    folded = word.casefold()
    if (
        word.isalpha()
        and word[-1].islower()
        and len(word) > 1
        and word not in abbreviations.NEVER_LAST_CASED
        and folded not in _KNOWN
        and not folded.endswith("str")
    ):
        return True  # nearly always
    number_follows = text[after].isdigit() or text[after] == "§"
    if (
        (folded in abbreviations.NEVER_LAST and word != "V")  # "e. V.", unlike "Marsh v. State"
        or word in abbreviations.NEVER_LAST_CASED
        or (number_follows and (folded in abbreviations.BEFORE_NUMBER or folded.endswith("str")))
    ):
        return False
    if not _is_ambiguous(word):
        return True
    following = next_word(text, after, final=final)
    if following is None:
        return None
    return _ends_before(following, word, text[max(start, dot - _ITEM_REACH) : dot], new_line=new_line)


def _is_ambiguous(word: str) -> bool:
    folded = word.casefold()
    return (
        folded in abbreviations.RARELY_LAST
        or (word[:1].isupper() and folded in abbreviations.BEFORE_NUMBER)
        or any(pattern.fullmatch(word) for pattern in (_ONE_LETTER, _NUMERAL, _ACRONYM))
    )


def _ends_before(following: str, word: str, near: str, *, new_line: bool) -> bool:
    """Decide on a full stop behind an ambiguous `word`, the last of `near`, by the word that follows."""
    folded = word.casefold()
    if _NUMERAL.fullmatch(word):
        return _numeral_ends(near, word, following)
    if _HOUR.fullmatch(word):
        return not following[0].isdigit() and _first_letters(following) not in abbreviations.AFTER_HOUR
    if len(word) <= _LONGEST_PART and _SECOND_PART.match(following):
        return False
    if _ONE_LETTER.fullmatch(word):
        return _letter_ends(near[:-1][-4:], word, following)
    if folded in abbreviations.BEFORE_NUMBER and folded not in abbreviations.RARELY_LAST:
        return not _COUNTED.match(following)
    return new_line or _DATED.search(near) is not None or begins_sentence(following)


def begins_sentence(word: str) -> bool:
    """True when this word would hardly have a capital if it did not begin a sentence, and of an item's number."""
    word = word.lstrip(_OPENING)
    if word[:1] in {"¿", "¡"} or _ITEM.fullmatch(word):
        return True
    letters = _LETTERS.match(word)
    if not letters or word[letters.end() : letters.end() + 1] in {".", "-", "&"}:
        return False
    folded = letters[0].casefold().replace("’", "'")
    titled = letters[0][0].isupper() and not letters[0][1:2].isupper()
    return titled and (folded in abbreviations.OPENERS or folded.split("'")[0] in abbreviations.OPENERS)


def _letter_ends(before: str, letter: str, following: str) -> bool:
    """Decide on a single letter: a unit behind a number, an initial, the last part of an abbreviation, a name."""
    if letter.islower() and before.rstrip()[-1:].isdigit():  # "10 s."
        return True
    if letter.isupper() and not _SHORT_BEFORE.search(before):
        return begins_sentence(following) and _first_letters(following) not in abbreviations.NAME_PARTICLES
    return begins_sentence(following)


def _numeral_ends(near: str, numeral: str, following: str) -> bool:
    """Decide on a number: of an item, an ordinal, a part of a date, or one that ends its sentence. It ends `near`."""
    if numeral.isdigit():
        before = int(numeral) - 1
        if _LISTED.search(near, len(near) - 8) or f" {before}. " in f" {near}" or f" {before}) " in f" {near}":
            return False
        dated = following[0].isdigit() and not _SECTION.match(following)
        if len(numeral) <= 2 and (dated or _first_letters(following) in abbreviations.GERMAN_MONTHS):
            return False
    words = near[-_LONGEST_WORD : -len(numeral)].split()[-2:]
    if words and words[-1].casefold() in abbreviations.BEFORE_ORDINAL and words != ["I", "am"]:
        return begins_sentence(following)
    return True


def _first_letters(word: str) -> str:
    letters = _LETTERS.match(word.lstrip(_OPENING))
    return letters[0].casefold().replace("’", "'") if letters else ""
