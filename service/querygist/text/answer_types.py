"""The kind of answer a question asks for, as far as its words tell: a number, or a name."""

import re

_NUMBER = re.compile(
    r"\b(?:when|how (?:many|much|long|old|far|tall|high|deep|big|large|wide|heavy|often|late|early|fast)|what (?:time|"
    r"year|date|day|age|size|percentage)|price|costs?|fees?|hours|phone|telephone|date|dose|dosage|population|capacity|"
    r"weight|height|length|salary|age|"
    r"wann|wie (?:viel|viele|hoch|lange?|alt|weit|gross|groß|teuer)|preis|kosten|einwohner|"
    r"öffnungszeiten|combien|quand|quel (?:âge|prix)|prix|horaires?|cuándo|cuánt[oa]s?|precio|horario)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b(?:who|whose|whom|wer|wem|wen|qui|quién|quiénes)\b", re.IGNORECASE)
_NUMBERS = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|hundred|"
    r"thousand|million|free|daily|noon|midnight|always)\b",
    re.IGNORECASE,
)
_NAMES = re.compile(r"\b[A-ZÀ-Þ][\w'’.-]+ (?:(?:van|von|de|der|da|la|al|bin) )?[A-ZÀ-Þ][\w'’-]+")


def expected(query: str) -> re.Pattern[str] | None:
    """Return a pattern that a text with an answer of the expected kind holds; None when the query does not tell."""
    if _NUMBER.search(query):
        return _NUMBERS
    return _NAMES if _NAME.search(query) else None
