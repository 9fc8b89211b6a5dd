"""HTML to the text a reader sees, in time proportional to its length.

The HTML standard asks of every parser work that grows with the square of a hostile page: 40,000 unclosed `<div>` keep
lexbor busy for six seconds, 12 kB of unclosed `<b>` make it a million elements. So before it parses anything,
`_refuse_costly` counts what the parser would have to do.
"""

import re

import regex
from selectolax.lexbor import LexborHTMLParser, LexborNode

from querygist.errors import UnprocessableText

_UNSEEN = frozenset(
    ["head", "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video"]
)
# Not the words of the document. A <form> itself is kept: some sites wrap the whole page in one.
_FURNITURE = frozenset(["nav", "footer", "button", "select", "datalist", "textarea", "dialog", "menu"])
_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label map mark meter nobr output "
    "picture progress q rp rt ruby s samp small span strike strong sub sup time tt u var wbr"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_SEPARATORS = {"br": "\n", "tr": "\n", "td": " ", "th": " "}
_PRESERVING = frozenset(["pre", "listing", "xmp", "plaintext"])
_INVISIBLE_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\n\f\r]+")
_MAIN_SHARE = 0.5

_ATTRIBUTE = r"""[\s/]++|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|(?!["'>])[^\s>]*+))?+"""
_ATTRIBUTES = regex.compile(_ATTRIBUTE)  # not `re`: Debian 12's Python 3.11.2 gets possessive repeats wrong
_TAG = regex.compile(
    rf"""<!--(?:-?>|.*?(?:--!?>|\Z))
    |<(script|style|textarea|title|iframe|noembed|noframes|xmp)(?=[\s/>]).*?(?:</\1(?=[\s/>])|\Z)
    |<(/?)([a-z][^\s/>]*+)((?:{_ATTRIBUTE})*+)""",
    regex.DOTALL | regex.IGNORECASE | regex.VERBOSE,
)
_FORMATTING = re.compile(r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
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


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or _INVISIBLE_STYLE.search(attributes.get("style") or "") is not None
    )


class _Reader:
    """Walks the tree in document order, without recursion, and collects what is seen."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.regions: dict[str, list[tuple[int, int]]] = {"main": [], "article": []}
        self._preserving = 0

    def read(self, root: LexborNode) -> None:
        """Append the text of everything below `root`."""
        open_nodes: list[tuple[LexborNode, str, int]] = []
        node: LexborNode | None = root
        while True:
            if node is not None:
                tag = node.tag or ""
                if tag == "-text":
                    self._text(node.text_content or "")
                elif not tag.startswith(("-", "!")) and not self._skipped(node, tag):
                    self._separate(tag)
                    self._preserving += tag in _PRESERVING
                    open_nodes.append((node, tag, len(self.pieces)))
                    node = node.first_child
                    continue
                node = node.next
            elif open_nodes:
                closed, tag, start = open_nodes.pop()
                if tag in self.regions:
                    self.regions[tag].append((start, len(self.pieces)))
                self._preserving -= tag in _PRESERVING
                self._separate(tag)
                node = closed.next if open_nodes else None
            else:
                return

    def _skipped(self, node: LexborNode, tag: str) -> bool:
        return tag in _UNSEEN or tag in _FURNITURE or _is_hidden(node)

    def _separate(self, tag: str) -> None:
        if tag not in _INLINE:
            self.pieces.append(_SEPARATORS.get(tag, "\n\n"))

    def _text(self, text: str) -> None:
        self.pieces.append(text if self._preserving else _BLANK.sub(" ", text))

    def text(self) -> str:
        """All of the text, or the page's one <main> or <article> when at least half of it stands there."""
        whole = "".join(self.pieces)
        for spans in self.regions.values():
            if len(spans) == 1:
                start, end = spans[0]
                region = "".join(self.pieces[start:end])
                if len(region.split()) >= _MAIN_SHARE * len(whole.split()):
                    return region
        return whole


def visible_text(html: str) -> str:
    """The text of a page, or of a fragment of one, in document order; blocks stand apart by blank lines.

    Left out are scripts, styles, pictures, navigation, footers, form controls and hidden elements. The text is as the
    page has it, untidied. Raises UnprocessableText for markup that only an attacker writes.
    """
    # As <span>, formatting elements keep their attributes and lose the standard's costliest rule, which opens every
    # unclosed one again in every paragraph.
    html = _FORMATTING.sub(r"<\1span", html)
    _refuse_costly(html)
    root = LexborHTMLParser(html).root
    reader = _Reader()
    if root is not None:
        reader.read(root)
    return reader.text()
