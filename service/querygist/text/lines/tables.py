"""Rows of tables among the lines of a text: between bars, tabs, or commas and semicolons."""

from querygist.text.lines import kinds
from querygist.text.lines.runs import Line
from querygist.text.outline import Piece

_LEAST_CSV = 3  # lines, and cells of each


def _cut(line: Line, places: list[int]) -> list[Piece]:
    """The parts of a line between separators of one character, without the blanks around them."""
    parts = []
    start = 0
    for place in [*places, len(line.text)]:
        part = line.text[start:place]
        lead = len(part) - len(part.lstrip())
        begin = line.start + start + lead
        parts.append(Piece(part.strip(), begin, begin + len(part.strip())))
        start = place + 1
    return parts


def _separators(line: Line, gaps: frozenset[int], mark: str) -> list[int]:
    if mark == "\t":
        return [place - line.start for place in range(line.start, line.end) if place in gaps]
    return [place for place, character in enumerate(line.text) if character == mark]


def _is_ruler(text: str) -> bool:
    return "-" in text and "|" in text and not set(text) - set("|-:+ ")


def mark_tables(lines: list[Line], gaps: frozenset[int]) -> None:
    """Find lines of cells: between bars, tabs, or commas and semicolons."""
    for mark, least in (("|", 2), ("\t", 2), (";", _LEAST_CSV), (",", _LEAST_CSV)):
        if not (gaps if mark == "\t" else any(mark in line.text for line in lines)):
            continue
        place = 0
        while place < len(lines):
            stop = place
            count = 0
            while stop < len(lines) and not lines[stop].kind and (stop == place or not lines[stop].gap):
                if mark == "|" and _is_ruler(lines[stop].text):
                    stop += 1
                    continue
                found = _cells_by(lines[stop], gaps, mark)
                if not found or (mark != "|" and count and found != count):
                    break
                count = found
                stop += 1
            if stop - place >= least or (stop > place and lines[place].text[0] == "|"):
                _mark_rows(lines[place:stop], gaps, mark)
            place = max(stop, place + 1)


def _cells_by(line: Line, gaps: frozenset[int], mark: str) -> int:
    """Count how many cells a separator makes of a line; 0 when it does not look like a row."""
    count = len(_separators(line, gaps, mark)) + 1
    if mark in ",;":
        loose = line.text.count(f"{mark} ")
        if count < 3 or (mark == "," and loose) or loose > 1:
            return 0
    return count if count > 1 and not kinds.ends_sentence(line.text) else 0


def _mark_rows(lines: list[Line], gaps: frozenset[int], mark: str) -> None:
    for place, line in enumerate(lines):
        if mark == "|" and _is_ruler(line.text):
            line.kind = "marker"
            if place == 1:
                lines[0].heads_table = True
            continue
        line.kind = "row"
        line.cells = _cut(line, _separators(line, gaps, mark))
        if mark == "|" and len(line.cells) > 1:
            line.cells = line.cells[not line.cells[0].text : len(line.cells) - (not line.cells[-1].text)]
    lines[0].begins_table = True
    rows = [line for line in lines if line.kind == "row"]
    if mark != "|" and len(rows) > 1 and not any(map(str.isdigit, rows[0].text)):
        rows[0].heads_table = all(any(map(str.isdigit, row.text)) for row in rows[1:])
