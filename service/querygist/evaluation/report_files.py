"""Reports as files: Markdown for people, JSON for programs, plots beside them. One writer for every report there is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from querygist.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_VALUE = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: the first column to the left, the others to the right. None is shown as "-"."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    cells = (header, rule, *([NO_VALUE if cell is None else str(cell) for cell in row] for row in rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def number(value: float | None, digits: int = 1, sign: str = "") -> str:
    """A number with so many decimals; `sign` "+" shows the plus, too."""
    return NO_VALUE if value is None else f"{value:{sign}.{digits}f}"


def bounds(interval: Any | None, digits: int = 1, sign: str = "") -> str:
    """The mean of an interval (`mean`, `low`, `high`) and, in brackets, its bounds."""
    if interval is None:
        return NO_VALUE
    mean, low, high = (number(value, digits, sign) for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def write(
    folder: Path,
    name: str,
    *,
    sections: Iterable[str],
    data: Any,
    figures: "Mapping[str, Figure] | None" = None,
    markdown: str | None = None,
) -> Path:
    """Write `name`.md of the sections, `name`.json of `data` and a PNG for each figure; return the Markdown's path.

    `markdown`: another name for it, without ".md". Each file is there as a whole or not at all, and the same report has
    the same bytes. `data` is a dataclass or what `json` takes.
    """
    content = asdict(data) if is_dataclass(data) and not isinstance(data, type) else data
    page = f"{markdown or name}.md"
    texts = {
        f"{name}.json": json.dumps(content, indent=1, ensure_ascii=False) + "\n",
        page: "\n\n".join(section.strip("\n") for section in sections) + "\n",
    }
    for file, text in texts.items():
        with replacing(folder / file) as partial:
            partial.write_text(text, encoding="utf-8")
    for stem, figure in (figures or {}).items():
        with replacing(folder / f"{stem}.png") as partial:
            figure.savefig(partial, format="png", dpi=100, metadata={"Software": None})
    return folder / page
