"""Drafts of a page's blocks, in page order, made into blocks: heading paths, lead-ins and boilerplate are filled in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from querygist.text.blocks import Block, BlockKind, Cell
from querygist.text.boilerplate import is_boilerplate
from querygist.text.sentences import Span, sentence_spans

_DEEPEST_LEVEL = 6
_LONGEST_ITEM = 40  # words; a longer one has sentences to choose from
_MOST_BOILERPLATE = 0.8
_IN_RUNS = frozenset(["item", "row", "code", "definition"])
_MAY_BE_FURNITURE = frozenset(["paragraph", "item", "heading"])
_TIGHT = frozenset(["item", "row", "code", "definition", "heading"])


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a page: its `text` at first, its place in the clean text once that is known."""

    text: str = ""
    start: int = 0
    end: int = 0

    @property
    def span(self) -> Span:
        """Start and end in the clean text."""
        return self.start, self.end


@dataclass(slots=True, eq=False)
class CellDraft(Piece):
    """A cell, and the piece that says what it is."""

    header: Piece | None = None


@dataclass(slots=True, eq=False)
class Draft(Piece):
    """A block in the making.

    `level`: of a heading, 0 for one below whatever it stands under. `run`: the list, table or code it is part of, 0
    for none. `parts`: term and cells of a row or definition. `context`: false for a heading that nothing stands under,
    such as a table's header row. `bold`: all of it is.
    """

    kind: BlockKind = "paragraph"
    level: int = 0
    run: int = 0
    parts: list[Piece] = field(default_factory=list)
    context: bool = True
    boilerplate: bool = False
    bold: bool = False
    lead_in: Piece | None = None
    headings: tuple["Draft", ...] = ()


class Scope(Enum):
    """Places where headings begin and cease to hold."""

    OPEN = auto()
    MAIN = auto()  # only a title outside of it holds inside of it
    ARTICLE = auto()
    CLOSE = auto()


def _without_leaves(drafts: list[Draft]) -> None:
    """Make items of headings that nothing stands under: they may be what is asked for. A question is none."""
    below = 0  # level of the heading that came last before content, seen from the end
    for draft in reversed(drafts):
        if draft.kind != "heading" or not draft.context:
            below = _DEEPEST_LEVEL + 1
        elif draft.level >= below and draft.level > 1 and not draft.text.endswith("?"):
            draft.kind, draft.level = "item", 0
        else:
            below = draft.level


def _under_headings(stream: Iterable[Draft | Scope]) -> list[Draft]:
    """The drafts, each with the headings it stands under."""
    drafts: list[Draft] = []
    outer: list[tuple[Draft, ...]] = []
    path: tuple[Draft, ...] = ()
    soft: set[Draft] = set()
    for entry in stream:
        if entry is Scope.CLOSE:
            path = outer.pop()
        elif isinstance(entry, Scope):
            outer.append(path)
            if entry is Scope.MAIN:
                path = tuple(heading for heading in path if heading.level == 1)
        else:
            drafts.append(entry)
            if entry.kind == "heading" and entry.context:
                fixed = len(outer[-1]) if outer else 0
                if not entry.level:
                    while len(path) > fixed and path[-1] in soft:
                        path = path[:-1]
                    entry.level = min(path[-1].level + 1 if path else 2, _DEEPEST_LEVEL)
                    soft.add(entry)
                entry.headings = tuple(heading for heading in path if heading.level < entry.level)
                path = (*entry.headings, entry)
            else:
                entry.headings = path
    return drafts


def outlined(stream: Iterable[Draft | Scope]) -> list[Draft]:
    """The drafts in order, under their headings, with lead-ins and boilerplate marked. Reads their `text`."""
    drafts = _under_headings(stream)
    _without_leaves(drafts)
    introduction: Draft | None = None
    run = 0
    for draft in drafts:
        draft.headings = tuple(heading for heading in draft.headings if heading.kind == "heading")
        draft.boilerplate = draft.boilerplate or (draft.kind in _MAY_BE_FURNITURE and is_boilerplate(draft.text))
        if draft.kind in _IN_RUNS or not draft.context:
            if introduction is not None and not run:
                run = draft.run
            if introduction is not None and draft.run == run:
                draft.lead_in = draft.lead_in or introduction
                continue
        introduction, run = None, 0
        if draft.kind in ("paragraph", "item") and draft.text.rstrip().endswith((":", "：")):
            introduction = draft
    _settle(drafts)
    return drafts


def _settle(drafts: list[Draft]) -> None:
    """Make paragraphs of long items; take back the marks of boilerplate when nearly all of the page has them."""
    words = marked = 0
    for draft in drafts:
        count = sum(len(part.text.split()) for part in draft.parts or [draft])
        words += count
        marked += draft.boilerplate * count
        if draft.kind == "item" and count > _LONGEST_ITEM:
            draft.kind = "paragraph"
    if marked > _MOST_BOILERPLATE * words:
        for draft in drafts:
            draft.boilerplate = False


def placed(drafts: list[Draft], clean: Callable[[str], str]) -> tuple[str, list[Draft]]:
    """The text of the drafts joined, and those of them that have any; fills in where each stands."""
    texts: list[str] = []
    kept: list[Draft] = []
    length = 0
    for draft in drafts:
        parts = draft.parts or [draft]
        for part in parts:
            part.text = clean(part.text)
        draft.parts = [part for part in draft.parts if part.text]
        draft.text = " ".join(part.text for part in parts if part.text)
        if not draft.text:
            continue
        if kept:
            tight = draft.run and draft.run == kept[-1].run and {draft.kind, kept[-1].kind} <= _TIGHT
            texts.append("\n" if tight else "\n\n")
            length += len(texts[-1])
        draft.start = position = length
        for part in draft.parts:
            part.start, part.end = position, position + len(part.text)
            position = part.end + 1
        texts.append(draft.text)
        length += len(draft.text)
        draft.end = length
        kept.append(draft)
    return "".join(texts), kept


def _last_line(text: str, piece: Piece) -> Span:
    """The span of the last sentence of a piece."""
    start, end = sentence_spans(text[piece.start : piece.end])[-1]
    return piece.start + start, piece.start + end


def blocks_of(drafts: list[Draft], text: str) -> tuple[Block, ...]:
    """The blocks of outlined and placed drafts."""
    lead_ins: dict[Piece, Span] = {}
    blocks = []
    for draft in drafts:
        if draft.lead_in is not None and draft.lead_in not in lead_ins:
            lead_ins[draft.lead_in] = _last_line(text, draft.lead_in)
        cells = tuple(
            Cell(cell.start, cell.end, cell.header.span if cell.header and cell.header.text else None)
            for cell in draft.parts
            if isinstance(cell, CellDraft)
        )
        blocks.append(
            Block(
                draft.kind,
                draft.start,
                draft.end,
                level=draft.level if draft.kind == "heading" else 0,
                headings=tuple(heading.span for heading in draft.headings),
                lead_in=lead_ins[draft.lead_in] if draft.lead_in is not None else None,
                cells=cells,
                boilerplate=draft.boilerplate,
            )
        )
    return tuple(blocks)
