"""The kind of answer a question asks for, as far as its words tell: an amount of money, a time, a number, a name."""

import re

_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?|januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|mars|avril|juin|"
    "juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|mayo|junio|julio|agosto|octubre|diciembre"
)
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag"

# What a query asks for, and what a text that answers it holds; the first that fits the query counts.
_TYPES = [
    (re.compile(asked, re.IGNORECASE), re.compile(held, flags))
    for asked, held, flags in (
        (
            r"\b(?:how much (?:does|do|did|is|are|was|were|will|would)|costs?|prices?|fees?|"
            r"wie viel kostet|was kostet|preise?|kosten|gebühr|combien coûte|prix|tarifs?|cuánto cuesta|precios?)\b",
            r"[€$£¥₹]|\b(?:euros?|dollars?|pounds?|pence|cents?|francs?|kronor|kr|eur|usd|gbp|chf|free|gratis|kostenlos|"
            r"percent)\b|%|\d[.,]\d\d\b",
            re.IGNORECASE,
        ),
        (
            r"\b(?:opening (?:hours|times)|hours|when (?:does|do|is|are)\b.*\b(?:open|close|start|begin|end)|what time|"
            r"öffnungszeiten|wie lange .* geöffnet|horaires?|horario)\b",
            r"\d\s?(?::\d\d|[ap]\.?m\b|uhr\b|h\b)|\b(?:daily|closed|noon|midnight|geschlossen|täglich|fermé|cerrado|"
            rf"{_DAYS}|{_MONTHS})\b",
            re.IGNORECASE,
        ),
        (
            r"\b(?:when|what (?:year|date|day)|which year|since when|wann|seit wann|quand|cuándo)\b",
            rf"\b1\d{{3}}\b|\b20\d\d\b|\d(?::\d\d|\s?[ap]\.?m\b)|\b(?:{_MONTHS}|{_DAYS})\b|"
            r"\b(?:today|tomorrow|yesterday|century)\b|\b\d+ (?:days|weeks|months|years|hours|minutes)\b|\b(?:before|after|until|as soon as|once)\b",
            re.IGNORECASE,
        ),
        (
            r"\b(?:how (?:many|much|long|old|far|tall|high|deep|big|large|wide|heavy|often|fast)|age|height|length|"
            r"weight|population|capacity|phone|telephone|dose|dosage|size|percentage|salary|wie (?:viele?|hoch|lange?|alt|weit|"
            r"gross|groß)|einwohner|combien|quel âge|cuánt[oa]s?)\b",
            r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|"
            r"hundred|thousand|million|half|daily|always|once|twice)\b",
            re.IGNORECASE,
        ),
        (
            r"\b(?:who|whose|whom|wer|wem|wen|qui|quién|quiénes)\b",
            r"[A-ZÀ-Þ][\w'’.-]+ (?:(?:van|von|de|der|da|la|al|bin) )?[A-ZÀ-Þ][\w'’-]+",
            re.NOFLAG,
        ),
    )
]


def expected(query: str) -> re.Pattern[str] | None:
    """Return a pattern that a text with an answer of the expected kind holds; None when the query does not tell."""
    return next((held for asked, held in _TYPES if asked.search(query)), None)
