"""Pages made by hand, block by block: tests of what stands on a page must not depend on how HTML is read."""

from collections.abc import Sequence
from typing import Self

from hypothesis import strategies as st

from querygist.text.blocks import Block, BlockKind, Cell
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import Span


class Page:
    """A clean document in the making."""

    def __init__(self) -> None:
        self._text = ""
        self._blocks: list[Block] = []
        self._headings: list[tuple[int, Span]] = []

    def add(self, kind: BlockKind, text: str, *, lead_in: Span | None = None, boilerplate: bool = False) -> Self:
        """A block of one piece of text."""
        span = self._write(text)
        self._blocks.append(Block(kind, *span, headings=self._above, lead_in=lead_in, boilerplate=boilerplate))
        return self

    def heading(self, level: int, text: str) -> Self:
        self._headings = [one for one in self._headings if one[0] < level]
        span = self._write(text)
        self._blocks.append(Block("heading", *span, level=level, headings=self._above))
        self._headings.append((level, span))
        return self

    def table(self, header: Sequence[str], *rows: Sequence[str]) -> Self:
        """Rows whose cells have the header's as theirs; the header itself is no block. "" is a cell without text."""
        heads = self._cells(header)
        for row in rows:
            spans = self._cells(row)
            cells = tuple(
                Cell(*span, header=head) for span, head in zip(spans, heads, strict=True) if span[0] < span[1]
            )
            self._blocks.append(Block("row", cells[0].start, cells[-1].end, headings=self._above, cells=cells))
        return self

    def definition(self, term: str, description: str) -> Self:
        head = self._write(term)
        span = self._write(description)
        self._blocks.append(Block("definition", *span, headings=self._above, cells=(Cell(*span, header=head),)))
        return self

    @property
    def document(self) -> CleanDocument:
        return CleanDocument(self._text, source=self._text, blocks=tuple(self._blocks))

    @property
    def end(self) -> int:
        """Where the text ends so far."""
        return len(self._text)

    @property
    def _above(self) -> tuple[Span, ...]:
        return tuple(span for _, span in self._headings)

    def _write(self, text: str, before: str = "\n") -> Span:
        start = len(self._text) + len(before) * bool(self._text)
        self._text += f"{before if self._text else ''}{text}"
        return start, len(self._text)

    def _cells(self, texts: Sequence[str]) -> list[Span]:
        return [self._write(text, "\n" if place == 0 else " | ") for place, text in enumerate(texts)]


def plain(text: str) -> CleanDocument:
    """A page of one paragraph."""
    return Page().add("paragraph", text).document


WORDS = [
    "owl", "owls", "Mice", "hunt", "at", "night", "the", "The", "1928", "5,000", "a-b", "e\u0301", "🧪", "x" * 40,
    "北京是中国的首都", "ดวงอาทิตย์ขึ้น", "internationalization",
]  # fmt: skip
_LINES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
_LONG_LINES = st.tuples(_LINES, st.integers(1, 30)).map(lambda line: " ".join([line[0]] * line[1]))
_SENTENCES = st.lists(
    st.tuples(_LINES | _LONG_LINES, st.sampled_from([". ", "! ", "。", ".\n"])).map("".join), min_size=1, max_size=5
).map(lambda sentences: "".join(sentences).strip())
_ROWS = st.lists(st.tuples(_LINES, _LINES | st.just("")), min_size=1, max_size=3)


@st.composite
def pages(draw: st.DrawFn) -> CleanDocument:
    """Pages of every kind of block, of words that occur often."""
    page = Page()
    kinds: tuple[BlockKind, ...] = ("heading", "paragraph", "item", "row", "definition", "code", "quotation", "caption")
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=8)):
        if kind == "heading":
            page.heading(draw(st.integers(1, 3)), draw(_LINES))
        elif kind == "row":
            page.table(draw(st.tuples(_LINES, _LINES)), *draw(_ROWS))
        elif kind == "definition":
            page.definition(draw(_LINES), draw(_LINES))
        else:
            text = draw(_SENTENCES if kind in ("paragraph", "quotation") else _LINES | _LONG_LINES)
            page.add(kind, text, boilerplate=draw(st.booleans()))
    return page.document
