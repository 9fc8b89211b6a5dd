"""HTML to the blocks of text that a reader sees, in page order and in time proportional to its length."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from querygist.text.blocks import BlockKind
from querygist.text.html_groups import DefinitionList, Row, Stream
from querygist.text.html_input import parseable
from querygist.text.html_text import InlineText, paragraphs
from querygist.text.line_kinds import are_separate_lines, is_heading_like
from querygist.text.mathml import math_text
from querygist.text.outline import CellDraft, Draft, Scope
from querygist.text.tables import Table, TableCell
from querygist.text.visibility import CONTROLLED, Attributes, Looks, Visibility, opens_by_control, reads_twin

_UNSEEN = frozenset(
    "head script style template svg iframe object canvas audio video noframes noembed frameset progress meter rp "
    "del x-s x-strike nav datalist textarea dialog img input wbr map".split()
)
_INLINE = frozenset(
    "x-a abbr acronym x-b bdi bdo x-big cite x-code data dfn x-em x-font x-i ins kbd label mark x-nobr output picture "
    "q rt ruby samp x-small span x-strong sub sup time x-tt x-u var".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_KINDS: dict[str, BlockKind] = {
    "li": "item", "blockquote": "quotation", "pre": "code", "listing": "code", "caption": "caption",
    "figcaption": "caption", "summary": "heading", "legend": "heading", "button": "heading",
}  # fmt: skip
_LISTS = frozenset(["ul", "ol", "menu", "dir"])
_SCOPES = {"main": Scope.MAIN, "article": Scope.ARTICLE, "details": Scope.OPEN, "fieldset": Scope.OPEN}
_CONTROLS = frozenset(["aria-expanded", "aria-controls"])
_FURNITURE_ROLES = frozenset(["dialog", "alertdialog", "contentinfo", "search"])
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|gdpr|breadcrumbs?|share|sharing|social|newsletter|pagination|skip-link)(?![a-z])",
    re.IGNORECASE,
)
_WHOLE_PAGE = frozenset(["html", "body", "main", "article"])
_SECTIONS = frozenset(["article", "section", "blockquote", "main"])
_NOTE = re.compile(r"note|cite|(?:^|[\s_-])ref", re.IGNORECASE)
_STRAY = -1  # run of list items outside of any list
_MOST_OPTIONS, _MOST_SPAN, _MOST_DIGITS = 12, 1_000, 4
_MAIN_SHARE, _MOST_FURNITURE = 0.5, 0.8


@dataclass(frozen=True, slots=True)
class _Context:
    """Properties of text that elements inherit."""

    looks: Looks = Looks()
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
class _Frame:
    """An open element. `mark`: where its inline text began; `outer`: the blocks around a cell's."""

    node: LexborNode
    tag: str
    context: _Context
    attributes: Attributes
    is_inline: bool = False
    mark: int = 0
    outer: Stream | None = None


def _number(attributes: Attributes, name: str, otherwise: int = 1) -> int:
    text = attributes.get(name) or ""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return otherwise
    return max(1, min(int(text), _MOST_SPAN))


@dataclass
class _Reader:
    """Walks the tree in document order, without recursion, and collects what is seen as drafts of blocks."""

    visibility: Visibility
    controlled: frozenset[str]
    stream: Stream = field(default_factory=list)
    inline: InlineText = field(default_factory=InlineText)
    runs: int = 0

    def read(self, root: LexborNode) -> None:
        """Append the blocks of everything below `root`."""
        frames = [_Frame(root, "", _Context(), {})]
        node: LexborNode | None = root
        while True:
            if node is not None:
                tag = node.tag or ""
                if tag == "-text":
                    context = frames[-1].context
                    if not context.looks.invisible:
                        self.inline.add(node.text_content or "", bold=context.bold, verbatim=context.verbatim)
                elif not tag.startswith(("-", "!")) and (inner := self._enter(node, tag, frames[-1].context)):
                    frames.append(inner)
                    node = node.first_child
                    continue
                node = node.next
            else:
                closed = frames.pop()
                self._leave(closed)
                if not frames:
                    return
                node = closed.node.next if len(frames) > 1 else None

    def _enter(self, node: LexborNode, tag: str, context: _Context) -> _Frame | None:
        """Return the frame of an element, None for one whose content is not read."""
        if tag in _UNSEEN:
            return None
        if tag == "br":
            self.inline.break_line()
            return None
        attributes: Attributes = node.attributes
        if attributes:
            verdict = self.visibility.of(tag, attributes, context.looks)
            if verdict.unseen or (verdict.collapsed and not self._opens(node, tag, attributes)):
                return None
            if attributes.get("role") == "navigation":
                return None
            if verdict.looks != context.looks:
                context = replace(context, looks=verdict.looks)
        if tag == "math":
            self.inline.add(math_text(node), bold=context.bold, verbatim=False)
            return None
        if (tag in _INLINE and attributes.get("role") != "heading") or (tag == "button" and context.kind == "heading"):
            return self._enter_inline(_Frame(node, tag, context, attributes, is_inline=True))
        label = self._flush(context)
        if tag == "select":
            self._options(node, context, label)
            return None
        if tag == "button" and not attributes.keys() & _CONTROLS:
            return None
        return self._enter_block(_Frame(node, tag, context, attributes))

    def _opens(self, node: LexborNode, tag: str, attributes: Attributes) -> bool:
        if opens_by_control(node, attributes, self.controlled):
            return True
        return tag in _INLINE and attributes.get("aria-hidden") == "true" and reads_twin(node)

    def _enter_inline(self, frame: _Frame) -> _Frame:
        tag, context = frame.tag, frame.context
        if tag in ("x-b", "x-strong"):
            frame.context = replace(context, bold=True)
        if tag in ("q", "rt"):
            self.inline.put("“" if tag == "q" else "(")
        elif tag not in ("sup", "sub", "ruby"):
            self.inline.opens()
        frame.mark = len(self.inline.pieces)
        return frame

    def _enter_block(self, frame: _Frame) -> _Frame:
        tag, context, attributes = frame.tag, frame.context, frame.attributes
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
            level = _HEADINGS.get(tag) or min(_number(attributes, "aria-level", 2), 6)
            changes |= {"kind": "heading", "level": level}
        elif tag in _KINDS:
            changes |= {"kind": _KINDS[tag], "level": 0, "verbatim": tag in ("pre", "listing")}
        if tag in ("pre", "listing", "table", "dl") or (tag in _LISTS and context.run <= 0):
            self.runs += 1
            changes["run"] = self.runs
        elif tag == "li" and not context.run:
            changes["run"] = _STRAY
        if tag in _SCOPES:
            self.stream.append(_SCOPES[tag])
        self._enter_group(frame, changes)
        if changes:
            frame.context = replace(context, **changes)
        return frame

    def _enter_group(self, frame: _Frame, changes: dict[str, Any]) -> None:
        """Begin a table, a row, a cell or a list of definitions."""
        tag, context = frame.tag, frame.context
        if tag == "table":
            changes |= {"table": Table(self.runs), "row": None, "in_head": False}
        elif tag == "thead":
            changes["in_head"] = True
        elif tag == "tr" and context.table is not None:
            changes["row"] = Row(context.table, context.in_head)
        elif tag == "dl":
            changes["definitions"] = DefinitionList(self.runs)
        elif (tag in ("td", "th") and context.row is not None) or (
            tag in ("dt", "dd") and context.definitions is not None
        ):
            if tag == "dt" and context.definitions is not None:
                context.definitions.end(self.stream, at_term=True)
            frame.outer, self.stream = self.stream, []
            changes |= {"kind": "paragraph", "level": 0, "run": 0, "bold": False}

    def _leave(self, frame: _Frame) -> None:
        tag, context = frame.tag, frame.context
        if frame.is_inline:
            self._leave_inline(frame)
            return
        self._flush(context)
        begin = len(self.stream)
        if frame.outer is not None:
            content, self.stream = self.stream, frame.outer
            self._leave_cell(frame, content)
        elif tag == "tr" and context.row is not None:
            context.row.end(self.stream)
            self._mark(begin, context)
        elif tag == "dl" and context.definitions is not None:
            context.definitions.end(self.stream)
            self._mark(begin, context)
        elif tag in _SCOPES or (tag == "table" and context.table is not None and context.table.sectioned):
            self.stream.append(Scope.CLOSE)

    def _mark(self, begin: int, context: _Context) -> None:
        for entry in self.stream[begin:] if context.boilerplate else ():
            if isinstance(entry, Draft):
                entry.boilerplate = True

    def _leave_inline(self, frame: _Frame) -> None:
        tag, node = frame.tag, frame.node
        if tag in ("sup", "sub"):
            after = node.next.text_content if node.next is not None and node.next.tag == "-text" else ""
            parent = node.parent
            linked = tag == "sup" and (
                _NOTE.search(f"{frame.attributes.get('class') or ''} {frame.attributes.get('id') or ''}") is not None
                or node.css_first("[href]") is not None
                or (parent is not None and (parent.attributes.get("href") or "").startswith("#"))
            )
            self.inline.script(frame.mark, raised=tag == "sup", after=(after or "")[:8], linked=linked)
        elif tag == "x-small":
            self.inline.small(frame.mark)
            self.inline.closes()
        elif tag in ("q", "rt"):
            self.inline.put("”" if tag == "q" else ")")
        elif tag != "ruby":
            self.inline.closes()

    def _leave_cell(self, frame: _Frame, content: Stream) -> None:
        context, attributes = frame.context, frame.attributes
        if frame.tag in ("td", "th") and context.row is not None:
            header = frame.tag == "th"
            cell = TableCell(CellDraft(), header, _number(attributes, "colspan"), _number(attributes, "rowspan"))
            context.row.cells.append(cell)
            context.row.contents.append(content)
        elif context.definitions is not None:
            (context.definitions.terms if frame.tag == "dt" else context.definitions.descriptions).append(content)

    def _options(self, node: LexborNode, context: _Context, label: Draft | None) -> None:
        """Append what can be chosen as items below their label, unless it is a long list such as of countries."""
        found = [option for option in node.css("option") if option.attributes.get("value", "-") != ""]
        texts = [text for option in found if (text := " ".join((option.text() or "").split()))]
        if len(texts) <= _MOST_OPTIONS:
            self.runs += 1
            for text in texts:
                self._append(Draft(text, kind="item", run=self.runs, lead_in=label), context)

    def _append(self, draft: Draft, context: _Context) -> None:
        draft.boilerplate = context.boilerplate
        self.stream.append(draft)

    def _flush(self, context: _Context) -> Draft | None:
        """Append the text since the last block's end as a block, or as several; return the last."""
        if not self.inline.pieces:
            return None
        text, bold = self.inline.take()
        if not text or text.isspace():
            return None
        draft = None
        if context.kind == "code":
            parts = [line for line in text.split("\n") if line.strip()]
            for line in parts:
                draft = Draft(line, kind="code", run=context.run)
                self._append(draft, context)
            return draft
        parts = paragraphs(text)
        for part in parts:
            lines = [line for line in part.split("\n") if line.strip()] if "\n" in part else []
            if context.kind in ("paragraph", "item") and are_separate_lines(lines):
                self.runs += 1
                run = context.run or self.runs
                for line in lines:
                    draft = Draft(line, kind="item", run=run)
                    self._append(draft, context)
                continue
            draft = Draft(part, kind=context.kind, level=context.level, run=context.run)
            if bold and context.kind == "paragraph" and not context.row and is_heading_like(part.strip()):
                draft.kind = "heading"
            self._append(draft, context)
        return draft


def _words(stream: Stream) -> int:
    return sum(len(text.split()) for entry in stream if isinstance(entry, Draft) for text in _texts(entry))


def _texts(draft: Draft) -> list[str]:
    return [part.text for part in draft.parts] if draft.parts else [draft.text]


def _region(stream: Stream, kind: Scope) -> tuple[int, int] | None:
    """Where the page's one <main> or <article> begins and ends in the stream."""
    found = None
    opened: list[int] = []
    for place, entry in enumerate(stream):
        if entry is Scope.CLOSE:
            begin = opened.pop()
            if stream[begin] is kind:
                if found:
                    return None
                found = begin, place
        elif isinstance(entry, Scope):
            opened.append(place)
    return found


def _mark_surroundings(stream: Stream) -> None:
    """Mark what stands outside of the one <main> or <article>, when at least half of the text is inside.

    When nearly all of a page is marked, the marks say nothing.
    """
    words = _words(stream)
    for kind in (Scope.MAIN, Scope.ARTICLE):
        region = _region(stream, kind)
        if region and _words(stream[slice(*region)]) >= _MAIN_SHARE * words:
            for entry in [*stream[: region[0]], *stream[region[1] :]]:
                if isinstance(entry, Draft) and entry.kind != "heading":
                    entry.boilerplate = True
            break
    drafts = [entry for entry in stream if isinstance(entry, Draft)]
    if _words([draft for draft in drafts if draft.boilerplate]) > _MOST_FURNITURE * words:
        for draft in drafts:
            draft.boilerplate = False


def page_drafts(html: str) -> Stream:
    """The blocks of a page, or of a fragment of one, as drafts with untidied text, in document order.

    Left out are scripts, pictures, navigation, most form controls, and what a reader does not see. Raises
    UnprocessableText for markup that only an attacker writes.
    """
    html = parseable(html)
    root = LexborHTMLParser(html).root
    if root is None:
        return []
    sheets = [node.text() or "" for node in root.css("style")]
    reader = _Reader(Visibility(sheets), frozenset(CONTROLLED.findall(html)))
    reader.read(root)
    _mark_surroundings(reader.stream)
    return reader.stream
