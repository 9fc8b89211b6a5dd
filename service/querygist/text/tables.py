"""Rows of a table with their header cells."""

from dataclasses import dataclass, field

from querygist.text.outline import CellDraft, Draft, Piece

_MOST_COLUMNS = 200
_HEADER_LEVEL = 6


@dataclass(slots=True, eq=False)
class TableCell:
    """A cell as the page has it: one piece of text, and how many columns and rows it takes."""

    draft: CellDraft
    is_header: bool = False
    columns: int = 1
    rows: int = 1


@dataclass(slots=True)
class Table:
    """Gives each cell the header of its column, or of its row."""

    run: int
    headers: dict[int, Piece] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    """For how many more rows a column is taken by a cell from above."""
    sectioned: bool = False
    """A header cell by itself was made a heading over the rows that follow."""

    def row(self, cells: list[TableCell], *, in_head: bool = False) -> Draft:
        """The next row. One of nothing but header cells names the columns below."""
        names = len(cells) > 1 and (in_head or all(cell.is_header for cell in cells))
        headers: dict[int, Piece] = {}
        column = 0
        taken = {place: rows - 1 for place, rows in self.taken.items() if rows > 1}
        row_header: Piece | None = None
        for place, cell in enumerate(cells):
            while self.taken.get(column):
                column += 1
            if names:
                for covered in range(column, min(column + cell.columns, _MOST_COLUMNS)):
                    headers[covered] = cell.draft
            else:
                self._head(cell, column, row_header, of_two=len(cells) == 2)
                if place == 0 and cell.is_header:
                    row_header = cell.draft
            if cell.rows > 1:
                for covered in range(column, min(column + cell.columns, _MOST_COLUMNS)):
                    taken[covered] = cell.rows - 1
            column += cell.columns
        self.taken = taken
        if names:
            self.headers = {**self.headers, **headers}
        parts: list[Piece] = [cell.draft for cell in cells]
        if names:
            return Draft(kind="heading", level=_HEADER_LEVEL, run=self.run, parts=parts, context=False)
        return Draft(kind="row", run=self.run, parts=parts)

    def _head(self, cell: TableCell, column: int, row_header: Piece | None, *, of_two: bool) -> None:
        of_column = self.headers.get(column)
        if of_column is not None and not of_column.text.strip():
            of_column = None
        cell.draft.header = (row_header or of_column) if of_two else (of_column or row_header)
