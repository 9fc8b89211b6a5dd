"""A page as blocks: headings, paragraphs, list items, table rows and the like, each under its headings."""

from dataclasses import dataclass
from typing import Literal

from querygist.text.sentences import Span

BlockKind = Literal["heading", "paragraph", "item", "row", "definition", "code", "quotation", "caption"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table row, or the description of a definition, and the header or term that says what it is."""

    start: int
    end: int
    header: Span | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page that stands by itself, from `start` to `end` of the clean text, without its marker ("- ", "#").

    `level`: of a heading, 1 (a page's title) to 6; 0 of every other block. `headings`: the spans of the headings that
    it stands under, outermost first. `lead_in`: of items, rows and code the line that introduces them ("You need:").
    `cells`: of a row or definition those with text, in order. `boilerplate`: navigation, cookie notice, share line.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    headings: tuple[Span, ...] = ()
    lead_in: Span | None = None
    cells: tuple[Cell, ...] = ()
    boilerplate: bool = False
