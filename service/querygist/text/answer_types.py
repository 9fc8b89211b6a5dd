"""The kind of answer a question asks for, as far as its words tell: an amount of money, a time, a number, a name."""

import re

_MONTHS = (
    "jan january feb february mar march apr april may june july aug august sep sept september oct october nov november "
    "dec december januar februar märz mai juni juli oktober dezember janvier février mars avril juin juillet août "
    "septembre octobre novembre décembre enero febrero marzo mayo junio julio agosto octubre diciembre"
)
_DAYS = "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag"


def _pattern(words: str, *others: str) -> re.Pattern[str]:
    """Any of the words, in which an underscore stands for a space and a star for anything, or of the other patterns."""
    any_of = "|".join(map(re.escape, words.split())).replace("_", r"\s").replace(r"\*", ".*")
    return re.compile("|".join((rf"\b(?:{any_of})\b", *others)), re.IGNORECASE)


# What a query asks for, and what a text that answers it holds; the first that fits the query counts.
_TYPES = (
    (
        _pattern(
            "how_much_does how_much_do how_much_did how_much_is how_much_are how_much_was how_much_were cost costs "
            "price prices fee fees wie_viel_kostet was_kostet preis preise kosten gebühr combien_coûte prix tarif "
            "tarifs cuánto_cuesta precio precios"
        ),
        _pattern(
            "euro euros dollar dollars pound pounds pence cent cents franc francs kronor kr eur usd gbp chf percent "
            "free gratis kostenlos",
            r"[€$£¥₹%]",
            r"\d[.,]\d\d\b",
        ),
    ),
    (
        _pattern(
            "hours opening_times when*open when*opens when*close when*closes when*start when*begin when*end what_time "
            "öffnungszeiten horaire horaires horario"
        ),
        _pattern(
            f"daily closed noon midnight geschlossen täglich fermé cerrado {_DAYS} {_MONTHS}",
            r"\d\s?(?::\d\d|[ap]\.?m\b|uhr\b|h\b)",
        ),
    ),
    (
        _pattern("when what_year which_year what_date what_day wann quand cuándo"),
        _pattern(
            f"today tomorrow yesterday century before after until once as_soon_as {_DAYS} {_MONTHS}",
            r"\b(?:1\d|20)\d\d\b",
            r"\d(?::\d\d|\s?[ap]\.?m\b)",
            r"\d (?:minutes|hours|days|weeks|months|years)\b",
        ),
    ),
    (
        _pattern(
            "how_many how_much how_long how_old how_far how_tall how_high how_deep how_big how_large how_wide "
            "how_heavy how_often how_fast age height length weight population capacity phone telephone dose dosage "
            "size percentage salary wie_viel wie_viele wie_hoch wie_lang wie_lange wie_alt wie_weit wie_groß einwohner "
            "combien quel_âge cuánto cuánta cuántos cuántas"
        ),
        _pattern(
            "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty hundred "
            "thousand million half daily always twice",
            r"\d",
        ),
    ),
    (
        _pattern("who whose whom wer wem wen qui quién quiénes"),
        re.compile(r"[A-ZÀ-Þ][\w'’.-]+ (?:(?:van|von|de|der|da|la|al|bin) )?[A-ZÀ-Þ][\w'’-]+"),
    ),
)


def expected(query: str) -> re.Pattern[str] | None:
    """Return a pattern that a text with an answer of the expected kind holds; None when the query does not tell."""
    return next((held for asked, held in _TYPES if asked.search(query)), None)
