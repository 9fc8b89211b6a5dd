"""HTML to the blocks of text that a reader sees, in page order and in time proportional to its length."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from querygist.text.html.context import Context, Frame, block_changes, number, text_drafts
from querygist.text.html.groups import DefinitionList, Row, Stream
from querygist.text.html.inline import InlineText
from querygist.text.html.input import parseable
from querygist.text.html.mathml import math_text
from querygist.text.html.panels import CONTROLLED, opens_by_control, reads_twin
from querygist.text.html.regions import mark_surroundings
from querygist.text.html.visibility import Attributes, Hiding, Visibility
from querygist.text.outline import CellDraft, Draft, Scope
from querygist.text.tables import Table, TableCell

_UNSEEN_NAMES = (
    "head script style template svg iframe object canvas audio video noframes noembed frameset progress meter rp "
    "del x-s x-strike nav datalist textarea dialog img input wbr map"
)
_UNSEEN = frozenset(_UNSEEN_NAMES.split())
_INLINE_NAMES = (
    "x-a abbr acronym x-b bdi bdo x-big cite x-code data dfn x-em x-font x-i ins kbd label mark x-nobr output "
    "picture q rt ruby samp x-small span x-strong sub sup time x-tt x-u var"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_LISTS = frozenset(["ul", "ol", "menu", "dir"])
_SCOPES = {"main": Scope.MAIN, "article": Scope.ARTICLE, "details": Scope.OPEN, "fieldset": Scope.OPEN}
_CONTROLS = frozenset(["aria-expanded", "aria-controls"])
_NOTE = re.compile(r"note|cite|(?:^|[\s_-])ref", re.IGNORECASE)
_STRAY = -1  # run of list items outside of any list
_MOST_OPTIONS = 12


@dataclass
class _Reader:
    """Walks the tree in document order, without recursion, and collects what is seen as drafts of blocks."""

    visibility: Visibility
    controlled: frozenset[str]
    stream: Stream = field(default_factory=list)
    inline: InlineText = field(default_factory=InlineText)
    runs: int = 0
    characters: int = 0

    def read(self, root: LexborNode) -> None:
        """Append the blocks of everything below `root`."""
        frames = [Frame(root, "", Context(), {})]
        node: LexborNode | None = root
        while True:
            if node is not None:
                tag = node.tag or ""
                if tag == "-text":
                    context = frames[-1].context
                    if not context.looks.unread and (text := node.text_content or ""):
                        self.characters += len(text)
                        self.inline.add(text, bold=context.bold, verbatim=context.verbatim)
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

    def _enter(self, node: LexborNode, tag: str, context: Context) -> Frame | None:  # noqa: PLR0911
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
            return self._enter_inline(Frame(node, tag, context, attributes, is_inline=True))
        label = self._flush(context)
        if tag == "select":
            self._options(node, context, label)
            return None
        if tag == "button" and not attributes.keys() & _CONTROLS:
            return None
        return self._enter_block(Frame(node, tag, context, attributes))

    def _opens(self, node: LexborNode, tag: str, attributes: Attributes) -> bool:
        if opens_by_control(node, attributes, self.controlled):
            return True
        return tag in _INLINE and attributes.get("aria-hidden") == "true" and reads_twin(node)

    def _enter_inline(self, frame: Frame) -> Frame:
        tag, context = frame.tag, frame.context
        if tag in ("x-b", "x-strong"):
            frame.context = replace(context, bold=True)
        if tag in ("q", "rt"):
            self.inline.put("“" if tag == "q" else "(")
        elif tag not in ("sup", "sub", "ruby"):
            self.inline.opens()
        frame.mark = len(self.inline.pieces)
        return frame

    def _enter_block(self, frame: Frame) -> Frame:
        tag, context, attributes = frame.tag, frame.context, frame.attributes
        changes = block_changes(tag, attributes, context)
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

    def _enter_group(self, frame: Frame, changes: dict[str, Any]) -> None:
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

    def _leave(self, frame: Frame) -> None:
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

    def _mark(self, begin: int, context: Context) -> None:
        for entry in self.stream[begin:] if context.boilerplate else ():
            if isinstance(entry, Draft):
                entry.boilerplate = True

    def _leave_inline(self, frame: Frame) -> None:
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

    def _leave_cell(self, frame: Frame, content: Stream) -> None:
        context, attributes = frame.context, frame.attributes
        if frame.tag in ("td", "th") and context.row is not None:
            header = frame.tag == "th"
            cell = TableCell(CellDraft(), header, number(attributes, "colspan"), number(attributes, "rowspan"))
            context.row.cells.append(cell)
            context.row.contents.append(content)
        elif context.definitions is not None:
            (context.definitions.terms if frame.tag == "dt" else context.definitions.descriptions).append(content)

    def _options(self, node: LexborNode, context: Context, label: Draft | None) -> None:
        """Append what can be chosen as items below their label, unless it is a long list such as of countries."""
        found = [option for option in node.css("option") if option.attributes.get("value", "-") != ""]
        texts = [text for option in found if (text := " ".join((option.text() or "").split()))]
        if len(texts) <= _MOST_OPTIONS:
            self.runs += 1
            for text in texts:
                self._append(Draft(text, kind="item", run=self.runs, lead_in=label), context)

    def _append(self, draft: Draft, context: Context) -> None:
        draft.boilerplate = context.boilerplate
        self.stream.append(draft)

    def _flush(self, context: Context) -> Draft | None:
        """Append the text since the last block's end as a block, or as several; return the last."""
        if not self.inline.pieces:
            return None
        text, bold = self.inline.take()
        if not text or text.isspace():
            return None
        self.runs += 1
        drafts = text_drafts(text, context, bold=bold, run=self.runs)
        for draft in drafts:
            self._append(draft, context)
        return drafts[-1] if drafts else None


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
    controlled = frozenset(CONTROLLED.findall(html))
    reader = _read(root, Visibility(sheets), controlled)
    if Hiding.FADED in reader.visibility.hid:
        shown = _read(root, Visibility(sheets, Hiding.FADED), controlled)
        if reader.characters < shown.characters / 2:  # the page itself fades in
            reader = shown
    if not reader.characters and reader.visibility.hid:
        reader = _read(root, Visibility(sheets, Hiding.GONE), controlled)
    mark_surroundings(reader.stream)
    return reader.stream


def _read(root: LexborNode, visibility: Visibility, controlled: frozenset[str]) -> _Reader:
    reader = _Reader(visibility, controlled)
    reader.read(root)
    return reader
