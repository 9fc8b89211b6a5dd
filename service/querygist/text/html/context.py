"""Properties that the elements of an HTML page give to the text inside of them."""

import re
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborNode

from querygist.text.blocks import BlockKind
from querygist.text.html.groups import DefinitionList, Row, Stream
from querygist.text.html.inline import paragraphs
from querygist.text.html.visibility import PLAIN, Attributes, Looks
from querygist.text.lines.kinds import are_separate_lines, is_heading_like
from querygist.text.outline import Draft
from querygist.text.tables import Table

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_KINDS: dict[str, BlockKind] = {
    "li": "item", "blockquote": "quotation", "pre": "code", "listing": "code", "caption": "caption",
    "figcaption": "caption", "summary": "heading", "legend": "heading", "button": "heading",
}  # fmt: skip
_FURNITURE_ROLES = frozenset(["dialog", "alertdialog", "contentinfo", "search"])
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|gdpr|breadcrumbs?|share|sharing|social|newsletter|pagination|skip-link)(?![a-z])",
    re.IGNORECASE,
)
_WHOLE_PAGE = frozenset(["html", "body", "main", "article"])
_SECTIONS = frozenset(["article", "section", "blockquote", "main"])
_MOST_SPAN, _MOST_DIGITS = 1_000, 4


@dataclass(frozen=True, slots=True)
class Context:
    """Properties of text that elements inherit."""

    looks: Looks = PLAIN
    kind: BlockKind = "paragraph"
    level: int = 0
    run: int = 0
    bold: bool = False
    verbatim: bool = False
    boilerplate: bool = False
    sectioned: bool = False
    in_head: bool = False
    table: Table | None = None
    row: Row | None = None
    definitions: DefinitionList | None = None


@dataclass(slots=True)
class Frame:
    """An open element. `mark`: where its inline text began; `outer`: the blocks around a cell's."""

    node: LexborNode
    tag: str
    context: Context
    attributes: Attributes
    is_inline: bool = False
    mark: int = 0
    outer: Stream | None = None


def number(attributes: Attributes, name: str, otherwise: int = 1) -> int:
    """A small positive number of an attribute."""
    text = attributes.get(name) or ""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return otherwise
    return max(1, min(int(text), _MOST_SPAN))


def block_changes(tag: str, attributes: Attributes, context: Context) -> dict[str, Any]:
    """Changes that a block element makes to its context: the kind of its text, and if it is beside the subject."""
    role = attributes.get("role")
    changes: dict[str, Any] = {}
    if not context.boilerplate and tag not in _WHOLE_PAGE:
        named = f"{attributes.get('class') or ''} {attributes.get('id') or ''}" if attributes else ""
        footer = tag == "footer" and not context.sectioned
        if footer or role in _FURNITURE_ROLES or _FURNITURE.search(named):
            changes["boilerplate"] = True
    if tag in _SECTIONS:
        changes["sectioned"] = True
    if tag in _HEADINGS or role == "heading":
        level = _HEADINGS.get(tag) or min(number(attributes, "aria-level", 2), 6)
        changes |= {"kind": "heading", "level": level}
    elif tag in _KINDS:
        changes |= {"kind": _KINDS[tag], "level": 0, "verbatim": tag in ("pre", "listing")}
    return changes


def text_drafts(text: str, context: Context, *, bold: bool, run: int) -> list[Draft]:
    """The blocks of an element's text: lines of code, paragraphs, lines that stand by themselves (in a new `run`)."""
    if context.kind == "code":
        return [Draft(line, kind="code", run=context.run) for line in text.split("\n") if line.strip()]
    drafts = []
    for part in paragraphs(text):
        lines = [line for line in part.split("\n") if line.strip()] if "\n" in part else []
        if context.kind in ("paragraph", "item") and are_separate_lines(lines):
            drafts += [Draft(line, kind="item", run=context.run or run) for line in lines]
            continue
        draft = Draft(part, kind=context.kind, level=context.level, run=context.run)
        if bold and context.kind == "paragraph" and not context.row and is_heading_like(part.strip()):
            draft.kind = "heading"
        drafts.append(draft)
    return drafts
