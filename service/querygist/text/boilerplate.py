"""Lines of a page that are there for its use and not for its subject: navigation, cookie notices, share links."""

import re

_LONGEST = 250  # characters; a longer block has something to say
_LONGEST_LABEL = 60
_LONGEST_BUTTON = 90

_COOKIES = re.compile(
    r"\b(?:we|this (?:web)?site|our (?:web)?site|our partners)\b[^.]{0,40}\buses? (?:\w+ ){0,3}cookies\b"
    r"|\bby continuing to (?:use|browse)\b"
    r"|\b(?:wir verwenden|wir nutzen"
    r"|diese (?:web)?(?:seite|site) (?:verwendet|nutzt)|unsere website (?:verwendet|nutzt))\b"
    r"[^.]{0,40}\bcookies\b"
    r"|\b(?:nous utilisons|ce site utilise)\b[^.]{0,40}\bcookies\b"
    r"|\b(?:utilizamos|usamos|este sitio (?:web )?(?:utiliza|usa))\b[^.]{0,40}\bcookies\b",
    re.IGNORECASE,
)
_COOKIE_BUTTONS = re.compile(
    r"\b(?:accept|reject|allow|manage|decline)\b[^.]{0,20}\bcookies?\b"
    r"|^cookie (?:policy|settings|preferences|notice)\b"
    r"|\b(?:accepter|refuser|gérer)\b[^.]{0,20}\bcookies\b"
    r"|\b(?:aceptar|rechazar)\b[^.]{0,20}\bcookies\b"
    r"|\bcookies?\b[^.]{0,20}\b(?:akzeptieren|ablehnen|zulassen)\b|^cookie-einstellungen\b",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"(?:accept|reject|allow|decline) all|alle (?:akzeptieren|ablehnen)|tout (?:accepter|refuser)"
    r"|(?:aceptar|rechazar) tod[oa]s?"
    r"|share(?: (?:this|on|via)\b.*)?|tweet|pin it|follow us(?: on\b.*)?|(?:copy|email) link|print(?: this page)?"
    r"|(?:sign|log) (?:in|up|out)(?: (?:or|/|to) .*)?|subscribe(?: (?:now|to|today)\b.*)?|register(?: now)?"
    r"|read more(?: (?:about|on|at)\b.*)?|learn more|see more|show (?:more|less)|load more|view all|more info"
    r"|mehr lesen|weiterlesen|lire la suite|leer más|anmelden|teilen|partager|compartir"
    r"|skip to (?:main )?content|back to top|zum inhalt springen|(?:toggle|open|close|main) (?:navigation|menu)|menu"
    r"|previous|next|(?:previous|next) (?:page|post|article)|advertisement|sponsored|anzeige|publicité"
    r"|all rights reserved\.?|(?:privacy policy|terms (?:of (?:use|service)|and conditions)|imprint|impressum)"
    r"|(?:copyright|©|\(c\)) ?.{0,50}",
    re.IGNORECASE,
)
_COPYRIGHT = re.compile(r"^(?:copyright|©|\(c\)) .*\b(?:19|20)\d\d\b|\ball rights reserved\b", re.IGNORECASE)
_TRAIL = re.compile(r"(?:[^\s|›»>/•·][^|›»>/•·]{0,30}\s[|›»>/•·]\s){2,}[^|›»>/•·]{1,60}")
_MENU_WORDS = (
    "home start about us contact contacts events news blog shop store login account cart basket search help support "
    "careers jobs products services catalogue catalog faq menu press team facebook twitter instagram linkedin youtube "
    "pinterest whatsapp rss email print startseite kontakt über uns aktuelles warenkorb suche accueil boutique inicio "
    "contacto"
)
_MENU = frozenset(_MENU_WORDS.split())
_BYLINE = re.compile(
    r"by [A-Z][\w'’.-]+(?: [\w'’.-]+){0,4}(?:,? .*\b(?:19|20)\d\d\b.*)?"
    r"|(?:last )?(?:[Uu]pdated|[Pp]ublished|[Mm]odified|[Pp]osted|[Rr]eviewed)\b.{0,30}\b(?:19|20)\d\d\b.{0,20}"
)
_FACT = re.compile(r"\d{2}|[.!?]\s")


def is_boilerplate(text: str) -> bool:
    """True for a line of navigation, a cookie notice, a share, follow or sign-in link, a byline, a copyright line."""
    if len(text) > _LONGEST:
        return False
    text = text.strip()
    label = text.rstrip(" .…›»→>!:").lstrip("‹«←< ")
    if len(label) <= _LONGEST_LABEL and _LABELS.fullmatch(label):
        return True
    if "ookie" in text or "continuing" in text or "COOKIE" in text:
        return bool(_COOKIES.search(text) or (len(text) <= _LONGEST_BUTTON and _COOKIE_BUTTONS.search(text)))
    if _COPYRIGHT.search(text) or _BYLINE.fullmatch(text[:1].lower() + text[1:]) or _is_menu(text):
        return True
    return _TRAIL.fullmatch(text) is not None and _FACT.search(text) is None


def _is_menu(text: str) -> bool:
    """True for a line of two or more words, nearly all of which stand in menus."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    return len(words) > 1 and len(text) <= _LONGEST_BUTTON and sum(word in _MENU for word in words) >= 0.75 * len(words)
