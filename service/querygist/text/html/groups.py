"""Rows of cells and lists of definitions of an HTML page, as drafts; layout tables come apart into what they hold."""

import re
from dataclasses import dataclass, field

from querygist.text.outline import CellDraft, Draft, Piece, Scope
from querygist.text.tables import Table, TableCell

Stream = list[Draft | Scope]

_LONGEST_CELL = 80  # words
_SIMPLE = frozenset(["paragraph", "item", "caption"])
_BLANKS = re.compile(r"\s+")


def _line(content: Stream) -> str | None:
    """The text of a cell on one line; None for what is more than a cell: headings, tables, code, long text."""
    parts = []
    listed = False
    for entry in content:
        if isinstance(entry, Scope) or entry.kind not in _SIMPLE:
            return None
        text = _BLANKS.sub(" ", entry.text).strip()
        listed = listed or entry.kind == "item"
        if text:
            parts.append(text)
    line = (", " if listed and not any(part[-1] in ".,;:!?" for part in parts[:-1]) else " ").join(parts)
    return line if len(line.split()) <= _LONGEST_CELL else None


@dataclass
class Row:
    """A row of a table, being read."""

    table: Table
    in_head: bool
    cells: list[TableCell] = field(default_factory=list)
    contents: list[Stream] = field(default_factory=list)

    def end(self, stream: Stream) -> None:
        """Append the row; a section's heading for a header cell by itself; what the cells hold when it is layout."""
        lines = [_line(content) for content in self.contents]
        full = [place for place, line in enumerate(lines) if line != ""]
        if None in lines or not full or (len(full) == 1 and len(lines) == 1 and not self.table.headers):
            if len(full) == 1 and lines[full[0]] and self.cells[full[0]].is_header:
                stream += self._section(lines[full[0]] or "")
                return
            for content in self.contents:
                stream += content
            return
        if len(full) == 1 and self.cells[full[0]].is_header and self.cells[full[0]].columns > 1:
            stream += self._section(lines[full[0]] or "")
            return
        for cell, line in zip(self.cells, lines, strict=True):
            cell.draft.text = line or ""
        stream.append(self.table.row(self.cells, in_head=self.in_head))

    def _section(self, text: str) -> Stream:
        opened = self.table.sectioned
        self.table.sectioned = True
        heading = Draft(text, kind="heading")
        return [heading] if opened else [Scope.OPEN, heading]


@dataclass
class DefinitionList:
    """Terms and what is said about them, being read."""

    run: int
    terms: list[Stream] = field(default_factory=list)
    descriptions: list[Stream] = field(default_factory=list)

    def end(self, stream: Stream, *, at_term: bool = False) -> None:
        """Append the definition read so far, if it is over: before a term, only when it has a description."""
        if at_term and not self.descriptions:
            return
        terms, descriptions = self.terms, self.descriptions
        self.terms, self.descriptions = [], []
        name = ", ".join(line for term in terms if (line := _line(term)))
        lines = [_line(description) for description in descriptions]
        if not name or not any(line != "" for line in lines):
            for content in [*terms, *descriptions]:
                stream += content
            return
        if name.endswith("?") or None in lines:
            stream += [Scope.OPEN, Draft(name, kind="heading")]
            for description in descriptions:
                stream += description
            stream.append(Scope.CLOSE)
            return
        piece = Piece(name)
        parts: list[Piece] = [piece, *(CellDraft(line, header=piece) for line in lines if line)]
        stream.append(Draft(kind="definition", run=self.run, parts=parts))
