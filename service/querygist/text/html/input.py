"""HTML made safe to parse: what only an attacker writes refused, costly elements renamed.

The HTML standard asks of every parser work that grows with the square of a hostile page: 40,000 unclosed `<div>` keep
lexbor busy for six seconds, 12 kB of unclosed `<b>` make it a million elements. So before it parses anything,
`_refuse_costly` counts what the parser would have to do.
"""

import html as entities
import re

import regex

from querygist.errors import UnprocessableText

_ATTRIBUTE = r"""[\s/]++|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|(?!["'>])[^\s>]*+))?+"""
_ATTRIBUTES = regex.compile(_ATTRIBUTE)  # not `re`: Debian 12's Python 3.11.2 gets possessive repeats wrong
_TAG = regex.compile(
    rf"""<!--(?:-?>|.*?(?:--!?>|\Z))
    |<(script|style|textarea|title|iframe|noembed|noframes|xmp)(?=[\s/>]).*?(?:</\1(?=[\s/>])|\Z)
    |<(/?)([a-z][^\s/>]*+)((?:{_ATTRIBUTE})*+)""",
    regex.DOTALL | regex.IGNORECASE | regex.VERBOSE,
)
_RENAMED = re.compile(
    r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u|noscript)(?=[\s/>])", re.IGNORECASE
)
_LITERAL = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|textarea|title)(?=[\s/>]).*?(?:</\1(?=[\s/>])|\Z)"
    r"|<(xmp|plaintext)(?=[\s/>])[^>]*>(.*?)(?:</xmp(?=[\s/>])[^>]*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HAS_LITERAL = re.compile(r"<(?:xmp|plaintext)[\s/>]", re.IGNORECASE)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_CLOSED_BY_NEXT = frozenset(["p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot"])
_OPENING = re.compile(r"<[a-z]", re.IGNORECASE)
_LONG_TAG = 2_000  # characters of attributes
_MOST_STEPS = 20_000_000  # about 0.1 s


def _refuse_costly(html: str) -> None:
    """Raise UnprocessableText for markup that would keep the parser busy for long.

    The parser's work is bounded by the sum, over all tags, of how many elements are open, and of the squares of
    attribute counts. An element counts as open until its own end tag follows directly on its content, and so does
    whatever looks like a tag inside of a script or title, which inside of an <svg> may be one: what sloppy or sly
    markup gets wrong is counted too high.
    """
    open_names: list[str] = []
    steps = deepest = unsure = 0
    for found in _TAG.finditer(html):
        raw, slash, name, attributes = found.groups()
        if raw:
            inside = len(_OPENING.findall(found[0])) - 1
            steps += inside * (len(open_names) + unsure + inside)
            unsure += inside
        if name is None:
            continue
        name = name.lower()
        steps += len(open_names) + unsure
        if len(attributes) > _LONG_TAG:
            steps += len(_ATTRIBUTES.findall(attributes)) ** 2 // 4  # names, and the blanks between them
        if slash:
            if open_names and open_names[-1] == name:
                open_names.pop()
        elif name not in _VOID and name not in _CLOSED_BY_NEXT:
            open_names.append(name)
            deepest = max(deepest, len(open_names))
    if steps > _MOST_STEPS:
        raise UnprocessableText(
            f"The HTML cannot be read in reasonable time: its elements stand up to {deepest} deep in one another, or "
            "its tags carry thousands of attributes. Send the text of the page as text/plain."
        )


def _escaped(found: re.Match[str]) -> str:
    return f"<pre>{entities.escape(found[3])}</pre>" if found[2] else found[0]


def _renamed(found: re.Match[str]) -> str:
    name = found[2].lower()
    return f"<{found[1]}template" if name == "noscript" else f"<{found[1]}x-{name}"


def parseable(html: str) -> str:
    """HTML that a parser reads quickly and as a browser with scripts does.

    As <x-b>, formatting elements keep their attributes and lose the standard's costliest rule, which opens every
    unclosed one again in every paragraph. <xmp> becomes <pre>, so that its text is not renamed; <noscript> <template>.
    Raises UnprocessableText for markup that only an attacker writes.
    """
    if _HAS_LITERAL.search(html):
        html = _LITERAL.sub(_escaped, html)
    html = _RENAMED.sub(_renamed, html)
    _refuse_costly(html)
    return html
