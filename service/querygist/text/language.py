"""Detection of English, the one language that the reader knows: by script, function words and accents.

It asks for evidence of another language, so that lists, tables and code, which have few function words of any, are
English unless something speaks against it.
"""

import re
from collections import Counter

_SAMPLE = 6_000  # characters of a text that are looked at
_MOST_OTHER_LETTERS = 0.3  # share of letters that are not Latin
_OTHER_WORDS = 0.06  # share of words that are function words of one other language
_ACCENTED = 0.1  # share of words in small letters that have an accent
_FEWEST_WORDS = 12  # in small letters, below which accents tell nothing: "crème brûlée"

_LATIN = r"A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a"
_WORD = re.compile(rf"[{_LATIN}]+(?:['’][{_LATIN}]+)*")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENGLISH = _set(
    "a an and are as at be been but by can could do does for from had has have he her his how if in into is it its may "
    "more most no not of on one or our out she should so such than that the their them then there these they this to "
    "up was we were what when where which who will with would you your"
)
# No particle of names (de, la, van, von, der, di, du, el, y), and no word of English (die, was, man, on, plus).
_OTHERS = {
    "German": _set(
        "und ist nicht mit für auf sich auch wird werden sind eine einen einem einer wie bei nach oder wenn dass dem "
        "im aus durch noch nur kann haben hat wurde sie wir ihr über unter vom zum zur zwischen als"
    ),
    "French": _set(
        "les est une dans que qui pas avec sur sont cette aux ou il elle nous vous être leur ces mais ont été fait "
        "peut entre sans aussi comme pour ce se son"
    ),
    "Spanish": _set(
        "una que para por es se su más pero sus como este esta son fue ser está hay cuando muy sin sobre también entre "
        "desde hasta porque los las con"
    ),
    "Italian": _set(
        "che non per una è sono con come più nel nella della delle degli anche si gli dei alla questo questa ma essere"
    ),
    "Portuguese": _set(
        "não uma que para com mais como foi são pelo pela seu sua mas ou se ao nos nas também é os às quando muito"
    ),
    "Dutch": _set("het een en niet op te dat voor met zijn ook aan wordt worden bij naar maar deze dit als uit heeft"),
    "Scandinavian": _set("och att det som på är för av med inte den og ikke til har ett et kan från vid eller ved"),
    "Polish": _set("nie się jest na że jak od przez dla są oraz tym tego jego po był które który lub"),
    "Turkish": _set("ve bir bu için ile da olarak olan gibi daha çok en sonra kadar ancak"),
    "Romanian": _set("și este nu pentru care din cu mai sunt fost sau prin dintre acest această"),
    "Indonesian": _set("yang dan untuk dengan dari ini itu adalah pada tidak dalam oleh juga akan sebagai atau"),
}


def is_english(text: str) -> bool:
    """Return True for a page that is likely to be English, by its first characters, and for a text without letters."""
    sample = text[:_SAMPLE]
    words = _WORD.findall(sample)
    letters = sum(map(str.isalpha, sample))
    if letters - sum(map(len, words)) > _MOST_OTHER_LETTERS * letters:
        return False
    counts = Counter(words)  # of other languages in small letters only: Los Angeles, Das Boot
    english = sum(word.lower() in _ENGLISH for word in words)
    if any(_speaks(counts, own, english, len(words)) for own in _OTHERS.values()):
        return False
    small = [word for word in words if word.islower()]  # names say nothing of the language they stand in
    accented = sum(not word.replace("’", "'").isascii() for word in small)
    return len(small) < _FEWEST_WORDS or accented <= _ACCENTED * len(small) or accented <= english


def _speaks(counts: Counter[str], own: frozenset[str], english: int, words: int) -> bool:
    """Return True where a language's function words are many, more than English's, and more than one."""
    found = [counts[word] for word in own if counts[word]]
    return len(found) > 1 and sum(found) > max(english, _OTHER_WORDS * words)
