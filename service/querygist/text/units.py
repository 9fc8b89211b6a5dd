"""Units of choice: what a quote is made of, and what a prompt can point at.

A unit is a sentence of a paragraph, or a whole list item, table row, definition or line of code. It is written as exact
slices of the page's text with joiners between them, so that a row reads "Battery: 5,000 mAh".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from querygist.text.blocks import Block, BlockKind, Cell
from querygist.text.sentences import Span, bounded_spans

SPACE, LIST, GAP, HEADER = " ", "; ", " … ", ": "
"""Everything that may stand between two slices of a page, beside nothing: where they touch, or are neighbours in a
list, where something between them was left out, and after the header of a cell."""

LIST_KINDS = frozenset(["item", "row", "definition", "code"])
"""Kinds of units that stand among their like under a heading or a lead-in, and say little without it."""

_MOST_WORDS = 80  # of a row; a longer one is taken cell by cell, an item of half of that sentence by sentence
_LINE = re.compile(r"[^\n]+")


@dataclass(frozen=True, slots=True)
class Slice:
    """Characters [start, end) of the text, and what is written before them."""

    joiner: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """From `start` to `end` of the text. `slices`: how it is written; the first one's joiner is "".

    `headings`: the spans of those it stands under; `lead_in`: of the line that leads to it.
    """

    kind: BlockKind
    start: int
    end: int
    slices: tuple[Slice, ...]
    headings: tuple[Span, ...]
    lead_in: Span | None
    boilerplate: bool


def written(text: str, slices: Sequence[Slice]) -> str:
    """The slices as they are read."""
    return "".join(f"{one.joiner}{text[one.start : one.end]}" for one in slices)


def units(text: str, blocks: Sequence[Block]) -> list[Unit]:
    """The units of a page in its order. Headings are none, unless there is nothing else."""
    bodies = [block for block in blocks if block.kind != "heading"] or blocks
    return [
        Unit(
            block.kind,
            start,
            end,
            tuple(slices),
            block.headings,
            block.lead_in,
            block.boilerplate,
        )
        for block in bodies
        for start, end, slices in _written_of(text, block)
    ]


def _written_of(text: str, block: Block) -> Iterator[tuple[int, int, list[Slice]]]:
    """Start and end of each unit of the block, and how it is written."""
    if block.cells:
        headers = {cell.header for cell in block.cells}
        kept = [cell for cell in block.cells if (cell.start, cell.end) not in headers] or block.cells
        cells = [_headed(cell, LIST if cell is not kept[0] else "") for cell in kept]
        row = [one for cell in cells for one in cell]
        if sum(len(text[one.start : one.end].split()) for one in row) <= _MOST_WORDS:
            yield block.start, block.end, row
        else:
            for cell, (first, *others) in zip(kept, cells, strict=True):
                yield cell.start, cell.end, [Slice("", first.start, first.end), *others]
        return
    whole = block.kind in ("item", "code") and len(text[block.start : block.end].split()) <= _MOST_WORDS // 2
    spans = [(0, block.end - block.start)] if whole else bounded_spans(text[block.start : block.end])
    for start, end in spans:
        yield block.start + start, block.start + end, _lines(text, block.start + start, block.start + end)


def _headed(cell: Cell, joiner: str) -> list[Slice]:
    """A cell behind its header, if it has one."""
    if cell.header is None:
        return [Slice(joiner, cell.start, cell.end)]
    return [Slice(joiner, *cell.header), Slice(HEADER, cell.start, cell.end)]


def _lines(text: str, start: int, end: int) -> list[Slice]:
    """The text from `start` to `end`, on one line: a slice for each of its lines."""
    lines = [line.span() for line in _LINE.finditer(text, start, end)]
    return [Slice(SPACE if line != lines[0] else "", *line) for line in lines]


def cells_of(unit: Unit) -> list[tuple[Slice, ...]]:
    """The slices of a row, cell by cell, each behind its header; of another unit, all in one."""
    cells: list[list[Slice]] = []
    for one in unit.slices:
        if cells and (one.joiner != LIST or unit.kind not in ("row", "definition")):
            cells[-1].append(one)
        else:
            cells.append([one])
    return [tuple(cell) for cell in cells]


_OPEN_END = re.compile(r"[^\s.!?…:;,。！？｡।॥؟۔]$")


def joiner(text: str, units: Sequence[Unit], before: int, here: int) -> str:
    """The joiner between two units of a page, given by their places."""
    if here != before + 1:
        return GAP
    last, first = units[before].slices[-1], units[here].slices[0]
    if last.end == first.start:  # a script that puts nothing between sentences
        return ""
    return LIST if _OPEN_END.search(text, last.start, last.end) else SPACE


def joined(text: str, units: Sequence[Unit], chosen: Sequence[int]) -> list[tuple[Slice, ...]]:
    """Slices of each chosen unit, as they are written one behind the other; `chosen` are places in page order."""
    parts = [units[chosen[0]].slices] if chosen else []
    for before, here in pairwise(chosen):
        first, *others = units[here].slices
        parts.append((Slice(joiner(text, units, before, here), first.start, first.end), *others))
    return parts
