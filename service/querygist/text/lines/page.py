"""Plain text and Markdown to blocks, by their lines.

Offsets count in the text; markers ("- ", "## ", "|") are left out.
A page without markup tells by its lines what is a heading, a list, a table. A heading is context and never an answer,
so a line is one only when it reads like one and something stands under it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from querygist.text.blocks import BlockKind
from querygist.text.boilerplate import is_boilerplate
from querygist.text.lines import kinds
from querygist.text.lines.runs import Line, headings_of
from querygist.text.lines.tables import mark_tables
from querygist.text.outline import CellDraft, Draft, Piece
from querygist.text.tables import Table, TableCell

_WRAPPED, _LONGEST_WRAPPED, _FULL = 50, 120, 0.7  # characters, and the share of the longest line


def _split(text: str) -> list[Line]:
    """The lines that are not blank."""
    lines = []
    position, gap = 0, False
    for raw in text.split("\n"):
        if raw and not raw.isspace():
            lead = len(raw) - len(raw.lstrip())
            start = position + lead
            lines.append(Line(start, position + len(raw.rstrip()), raw.strip(), gap))
            gap = False
        else:
            gap = True
        position += len(raw) + 1
    return lines


def _mark_fences(lines: list[Line]) -> None:
    fences = [place for place, line in enumerate(lines) if kinds.FENCE.fullmatch(line.text)]
    for opening, closing in zip(fences[::2], fences[1::2], strict=False):
        lines[opening].kind = lines[closing].kind = "marker"
        for line in lines[opening + 1 : closing]:
            line.kind = "code"


def _strip(line: Line, kind: BlockKind, length: int) -> None:
    line.kind, line.start, line.text = kind, line.start + length, line.text[length:]


def _mark_markers(lines: list[Line]) -> None:
    """Find Markdown's headings, rules, quotations and the items of lists."""
    before: Line | None = None
    last_number = 0
    for line in lines:
        if line.kind:
            before = None if line.kind == "marker" else line
            continue
        text = line.text
        if before is not None and not before.kind and not line.gap and kinds.UNDERLINE.fullmatch(text):
            before.kind, before.level, line.kind = "heading", 1 if text[0] == "=" else 2, "marker"
        elif kinds.RULE.fullmatch(text):
            line.kind = "marker"
        elif found := kinds.ATX.match(text):
            _strip(line, "heading", found.end())
            line.level = len(found[1])
            line.text = line.text.rstrip("#").rstrip() or line.text
            line.end = line.start + len(line.text)
        elif found := kinds.QUOTE.match(text):
            _strip(line, "quotation", found.end())
        elif found := kinds.BULLET.match(text):
            number = kinds.NUMBER.match(text)
            counted = number is not None and int(number[1]) == last_number + 1
            if line.gap or counted or before is None or before.kind or not kinds.goes_on(before.text, text):
                line.numbered = number is not None
                last_number = int(number[1]) if number else 0
                _strip(line, "item", found.end())
        before = line


def _mark_code(lines: list[Line]) -> None:
    sure = [not line.kind and kinds.is_code(line.text) for line in lines]
    for place, line in enumerate(lines):
        if sure[place]:
            line.kind = "code"
    for order in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        for place in order:
            line, near = lines[place], lines[place - 1 if order.step > 0 else place + 1]
            apart = line.gap if order.step > 0 else near.gap
            if not line.kind and near.kind == "code" and not apart and kinds.is_code(line.text, among_code=True):
                line.kind = "code"


def _unwrapped(lines: list[Line]) -> Iterator[Line]:
    """Lines with those joined that were one before they were wrapped."""
    place = 0
    while place < len(lines):
        stop = place + 1
        while stop < len(lines) and not lines[stop].gap and not lines[stop].kind:
            stop += 1
        if lines[place].kind not in ("", "item"):
            yield lines[place]
            place += 1
            continue
        yield from _joined(lines[place:stop])
        place = stop


def _joined(group: list[Line]) -> Iterator[Line]:
    opens = [kinds.goes_on(a.text, b.text) for a, b in pairwise(group)]
    longest = max(len(line.text) for line in group)
    full = _WRAPPED <= longest <= _LONGEST_WRAPPED
    middle = [
        len(line.text) >= _WRAPPED and full and not kinds.ends_sentence(line.text) and line.text[-1] != ":"
        for line in group[:-1]
    ]
    if len(group) > 2 and not group[0].kind and 2 * sum(opens) >= len(opens):
        opens = [True] * len(opens)
    elif any(middle) or any(opens):
        filled = [full and len(line.text) >= max(_WRAPPED, _FULL * longest) for line in group[:-1]]
        opens = [a or b or (c and not group[0].kind) for a, b, c in zip(opens, middle, filled, strict=True)]
    line = group[0]
    parts = [line.text]
    for following, joined in zip(group[1:], opens, strict=True):
        if joined:
            parts.append(following.text)
            line.end = following.end
        else:
            line.text = "\n".join(parts)
            yield line
            line, parts = following, [following.text]
    line.text = "\n".join(parts)
    yield line


@dataclass
class _Rows:
    """Makes drafts of lines, each run of items, rows or code under a number of its own."""

    table: Table = field(default_factory=lambda: Table(0))
    run: int = 0
    last: str = ""

    def draft(self, line: Line) -> Draft:
        if line.kind != self.last or line.begins_table:
            self.run += 1
        self.last = line.kind
        if line.kind == "row":
            return self._row(line)
        kind: BlockKind = line.kind or "paragraph"  # type: ignore[assignment]
        draft = Draft(line.text, line.start, line.end, kind, level=line.level)
        draft.run = self.run if kind in ("item", "code") else 0
        return draft

    def _row(self, line: Line) -> Draft:
        if line.begins_table:
            self.table = Table(self.run)
        cells = [
            TableCell(CellDraft(cell.text, cell.start, cell.end), is_header=line.heads_table) for cell in line.cells
        ]
        draft = self.table.row(cells)
        draft.parts = [part for part in draft.parts if part.text]
        if not draft.parts:
            draft.parts = [Piece(line.text, line.start, line.end)]
        draft.start, draft.end = draft.parts[0].start, draft.parts[-1].end
        draft.text = line.text
        return draft


def line_drafts(text: str, gaps: frozenset[int] = frozenset()) -> list[Draft]:
    """The blocks of a clean text as drafts, in order. `gaps` are the places of blanks that were tabs or many."""
    lines = _split(text)
    _mark_fences(lines)
    _mark_markers(lines)
    mark_tables(lines, gaps)
    _mark_code(lines)
    lines = [line for line in _unwrapped(lines) if line.kind != "marker"]
    for line in lines:
        if not line.kind and is_boilerplate(line.text):
            line.kind = "item" if kinds.is_short(line.text) else "paragraph"
            line.furniture = True
    headings_of(lines)
    rows = _Rows()
    return [rows.draft(line) for line in lines]
