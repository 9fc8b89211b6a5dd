"""Superscripts and subscripts as plain text, so that 10<sup>11</sup> does not become 1011."""

import re

_SUPERSCRIPT = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_SUBSCRIPT = dict(zip("0123456789+-−=()aeoxijrvuhklmnpst", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₒₓᵢⱼᵣᵥᵤₕₖₗₘₙₚₛₜ", strict=True))
_NOTE = re.compile(r"\[[^\[\]]{1,24}\]|[*†‡§¶]{1,3}")  # [4], [a], [citation needed]
_NOTE_NUMBERS = re.compile(r"\(?(?:\d{1,3}|[a-z])(?:\s*[,;–-]\s*(?:\d{1,3}|[a-z]))*\)?")
_PRICE_BEFORE = re.compile(r"(?:[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|Rs\.?|kr\.?))\s?\d[\d,.' ]*$")
_NUMBER_BEFORE = re.compile(r"\d$")
_CENTS = re.compile(r"(\d\d)\s?([€$£]|EUR)?")
_CURRENCY_AFTER = re.compile(r"\s?(?:[€$£]|EUR|CHF|kr)")
_LETTERS = re.compile(r"[^\W\d_]+\.?")
_LETTER_END = re.compile(r"[^\W\d_]$")
_VARIABLE = re.compile(r"(?:^|[^\w])[a-z]$|[\d)]$")
_ELEMENT = re.compile(r"(?:[A-Z][a-z]?|[)\]])$")
_FRACTION_BAR = "⁄/"
_LONGEST_POWER = 12


def _translated(text: str, table: dict[str, str]) -> str | None:
    mapped = [table.get(character) for character in text]
    return None if None in mapped else "".join(filter(None, mapped))


def superscript(text: str) -> str:
    """An exponent: in Unicode's superscripts where it has them all, else behind a caret."""
    mapped = _translated(text.replace(" ", ""), _SUPERSCRIPT)
    if mapped is not None:
        return mapped
    return f"^{text}" if text.isalnum() or re.fullmatch(r"[+−-]?[\w.]+", text) else f"^({text})"


def subscript(text: str) -> str:
    """An index: in Unicode's subscripts where it has them all, else behind a low line."""
    mapped = _translated(text.replace(" ", ""), _SUBSCRIPT)
    if mapped is not None:
        return mapped
    return f"_{text}" if text.isalnum() else f"_({text})"


def raised(content: str, before: str, after: str, *, linked: bool) -> str:  # noqa: PLR0911
    """Return what stands for the text of a <sup> between `before` and `after`; "" for the mark of a note (`linked`)."""
    text = " ".join(content.split())
    if not text or _NOTE.fullmatch(text) or (linked and _NOTE_NUMBERS.fullmatch(text)):
        return ""
    cents = _CENTS.fullmatch(text)
    if cents and (price := cents_of(cents, before, after)):
        return price
    if after.lstrip()[:1] in _FRACTION_BAR and after.strip() and text.isdigit():
        return f" {text}" if _NUMBER_BEFORE.search(before) else text
    if text == "TM":
        return "™"
    if _LETTERS.fullmatch(text) and text not in ("n", "i"):
        if len(text) > 1 or text in "eoaºª" or not _VARIABLE.search(before):
            return content if before[-1:].isalnum() else f" {text} "  # 1st, XIXe, Mme, TM
        return f"^{text}"
    if len(text) > _LONGEST_POWER or not before.strip() or before[-1:].isspace():
        return f" {text} "
    return superscript(text) if any(map(str.isalnum, text)) else text


def cents_of(cents: re.Match[str], before: str, after: str) -> str | None:
    """Return raised cents with the decimal mark that a reader supplies, or None for what is no price."""
    if _PRICE_BEFORE.search(before) and not re.search(r"[.,]\d\d?$", before):
        return f".{cents[1]}"
    if _NUMBER_BEFORE.search(before) and (cents[2] or _CURRENCY_AFTER.match(after)):
        return f",{cents[1]}" + (f" {cents[2]}" if cents[2] else "")
    return None


def small_cents(content: str, before: str) -> str | None:
    """The cents of a price in small print ("$35" and a small "00"), or None."""
    cents = _CENTS.fullmatch(content.strip())
    return cents_of(cents, before, "") if cents else None


def lowered(content: str, before: str) -> str:
    """Return what stands for the text of a <sub>: CO2 plainly, as people search for it, log₂ and x₁ lowered."""
    text = " ".join(content.split())
    if not text:
        return ""
    if before[-1:] in _FRACTION_BAR and before:
        return text
    if _LETTERS.fullmatch(text) and _LETTER_END.search(before) and len(text) > 1:
        return content  # Vmax
    if text.isdigit() and _ELEMENT.search(before):
        return text
    if len(text) > _LONGEST_POWER or not before.strip() or before[-1:].isspace():
        return f" {text} "
    return subscript(text)
