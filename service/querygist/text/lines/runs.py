"""Headings and items among the lines of a text that nothing marks as one or the other."""

from dataclasses import dataclass, field

from querygist.text.lines import kinds
from querygist.text.outline import Piece

_LISTED = frozenset(["item", "row", "code"])


@dataclass(slots=True)
class Line:
    """A line, or several that were one before they were wrapped; `gap`: a blank line stands before it."""

    start: int
    end: int
    text: str
    gap: bool
    kind: str = ""
    level: int = 0
    numbered: bool = False
    furniture: bool = False
    heads_table: bool = False
    begins_table: bool = False
    cells: list[Piece] = field(default_factory=list)


def _head(line: Line, level: int) -> None:
    line.kind, line.level = "heading", level


def _is_question(line: Line) -> bool:
    return line.text.endswith(("?", "？"))


def headings_of(lines: list[Line]) -> None:
    """Make headings, items and paragraphs of the lines that have no kind yet, by what stands around them."""
    _number_headings(lines)
    place, top = 0, True
    while place < len(lines):
        line = lines[place]
        if line.kind or not kinds.is_short(line.text):
            line.kind = line.kind or "paragraph"
            top = top and line.furniture
            place += 1
            continue
        stop = place
        while stop < len(lines) and not lines[stop].kind and kinds.is_short(lines[stop].text):
            stop += 1
        following = lines[stop] if stop < len(lines) else None
        if following is not None and (following.kind == "heading" or following.furniture):
            following = None
        _by_colons(lines[place:stop], following, top=top)
        place, top = stop, False


def _number_headings(lines: list[Line]) -> None:
    """Make a heading of a numbered line by itself over longer text ("1. Introduction")."""
    for place, line in enumerate(lines[:-1]):
        following, before = lines[place + 1], lines[place - 1] if place else None
        if (
            line.numbered
            and not following.kind
            and (before is None or before.kind != "item")
            and not kinds.is_short(following.text)
            and kinds.is_heading_like(line.text)
        ):
            _head(line, 2)


def _by_colons(run: list[Line], following: Line | None, *, top: bool) -> None:
    """Part a run of short lines at those that end in a colon, each over what follows it."""
    colons = [place for place, line in enumerate(run) if line.text[-1] in ":："]
    begin = colons[0] if colons else len(run)
    _by_gaps(run[:begin], run[begin] if colons else following, top=top)
    for place, stop in zip(colons, [*colons, len(run)][1:], strict=True):
        under = run[place + 1 : stop]
        content = following if stop == len(run) else None
        if len(under) == 1:
            _head(run[place], 3)
            under[0].kind = "item"
        elif under or (content is not None and content.kind in _LISTED):
            run[place].kind = "paragraph"
            _by_gaps(under, content, top=False)
        elif content is not None:
            _head(run[place], 3)
        else:
            run[place].kind = "item"


def _by_gaps(run: list[Line], following: Line | None, *, top: bool) -> None:
    """Part a run at its blank lines, where some of its lines have one between them and some none."""
    gaps = [line.gap for line in run[1:]]
    if not gaps or all(gaps) or not any(gaps):
        _classify(run, following, top=top)
        return
    groups: list[list[Line]] = [[run[0]]]
    for line in run[1:]:
        if line.gap:
            groups.append([line])
        else:
            groups[-1].append(line)
    for place, group in enumerate(groups):
        after = groups[place + 1][0] if place + 1 < len(groups) else following
        alone = len(group) == 1 and place + 1 < len(groups) and len(groups[place + 1]) == 1
        if alone and place and not _is_question(after or group[0]):
            group[0].kind = "item"
        else:
            _classify(group, after, top=top and not place)


def _classify(run: list[Line], following: Line | None, *, top: bool) -> None:
    if not run:
        return
    if len(run) == 1:
        _single(run[0], following, top=top)
        return
    plain = [kinds.is_plain(line.text) for line in run]
    last = len(run) - 1
    heads = {
        place
        for place in range(last)
        if plain[place]
        and not plain[place + 1]
        and (not any(plain[place + 1 : place + 3]) if place + 2 <= last else place == 0)
    }
    heads |= {place for place in range(last) if _is_question(run[place]) and not _is_question(run[place + 1])}
    pairs = [place for place in range(last) if plain[place] and not plain[place + 1]]
    if len(pairs) > 1 and 2 * len(pairs) >= last:
        heads.update(pairs)
    if following is not None and (run[last].gap or not following.gap):
        differs = not plain[last - 1] or len(run) == 2
        if (plain[last] and differs) or _is_question(run[last]):
            heads.add(last)
    if top and 1 in heads and kinds.is_heading_like(run[0].text):
        heads.add(0)
    for place, line in enumerate(run):
        if place in heads:
            _head(line, 1 if top and not place else 2)
        else:
            line.kind = "item"


def _single(line: Line, following: Line | None, *, top: bool) -> None:
    if following is None:
        reads = False
    elif top:
        reads = not kinds.is_value(line.text) and not kinds.is_code(line.text)
    else:
        reads = (line.gap or not following.gap) and (kinds.is_heading_like(line.text) or _is_question(line))
    if reads:
        _head(line, 1 if top and following is not None and (following.gap or following.kind) else 2)
    else:
        line.kind = "paragraph"
