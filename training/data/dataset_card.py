"""The data card: what is in the files, as Markdown for people, JSON for programs and a plot of lengths."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from querygist.evaluation import report_files
from querygist.pipeline.attribution import attribute
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from training.data.build_examples import DataStats
from training.data.examples import KINDS, Example

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "data_card"
QUANTILES = (0.1, 0.5, 0.9)

DERIVED = (
    "*Derived*: the answer that people chose, as whole sentences, and what follows them in the document to the "
    "requested length."
)
"""Note of the cards on rows that are not as people left them."""

_HEADER = ("source", *KINDS, "derived", "document", "summary", "copied", "asked words")

Card = dict[str, Any]


def write(
    folder: Path,
    files: Mapping[str, Sequence[Example]],
    stats: DataStats,
    tokenizer: Tokenizer,
    advance: Callable[[], None],
) -> list[Path]:
    """Write the three files and return their paths. `files`: examples by name; `advance` is called for each example."""
    card = {
        "files": {name: describe(found, tokenizer, advance) for name, found in files.items()},
        "licences": {source: sorted(names) for source, names in sorted(stats.licences.items())},
        "dropped": [
            {"source": source, "split": split, "why": why, "rows": count}
            for (source, split, why), count in sorted(stats.dropped.items())
        ],
    }
    report_files.write(folder, NAME, sections=_sections(card), data=card, figures={NAME: _figure(files)})
    return [folder / f"{NAME}.{suffix}" for suffix in ("md", "json", "png")]


def describe(found: Sequence[Example], tokenizer: Tokenizer, advance: Callable[[], None] = lambda: None) -> Card:
    """Return counts by source and kind, quantiles of lengths, and how much of the answers is copied, of one file."""
    by_source: dict[str, list[Example]] = {}
    for example in found:
        by_source.setdefault(example.source, []).append(example)
    return {
        "kinds": Counter(example.kind for example in found),
        "derived": sum(example.derived and example.kind == "positive" for example in found),
        "sources": {source: _source(of_it, tokenizer, advance) for source, of_it in sorted(by_source.items())},
    }


def _source(found: Sequence[Example], tokenizer: Tokenizer, advance: Callable[[], None]) -> Card:
    positives = [example for example in found if example.kind == "positive"]
    copied = []
    for example in found:
        if example.kind == "positive":
            copied.append(attribute(example.summary, CleanDocument(example.document, source=example.document)).copied)
        advance()
    return {
        "kinds": {kind: sum(example.kind == kind for example in found) for kind in KINDS},
        "derived": sum(example.derived for example in positives),
        "documents": _lengths([example.document for example in found], tokenizer),
        "summaries": _lengths([example.summary for example in positives], tokenizer),
        "max_words": _quantiles([example.max_words for example in positives]),
        "copied_bigrams": round(float(np.mean(copied)), 3) if copied else None,
    }


def _lengths(texts: Sequence[str], tokenizer: Tokenizer) -> Card:
    return {
        "words": _quantiles([len(text.split()) for text in texts]),
        "tokens": _quantiles(tokenizer.count_each(texts)),
    }


def _quantiles(numbers: Sequence[int]) -> Card:
    found = np.quantile(numbers, QUANTILES) if numbers else ()
    return {f"p{100 * q:.0f}": round(float(value)) for q, value in zip(QUANTILES, found, strict=False)}


def _sections(card: Card) -> Iterator[str]:
    """Yield the card as text and tables. Lengths are the 10 %, 50 % and 90 % quantiles."""
    yield "# Data card"
    yield (
        "Made by `python -m training data`. Lengths are quantiles (10 / 50 / 90 %) in words, tokens in brackets. "
        f"{DERIVED} *Copied*: share of the answer's bigrams that the document has. Summaries are those of positives."
    )
    for name, file in card["files"].items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in file["kinds"].items())
        yield f"## {name}"
        yield f"{sum(file['kinds'].values())} rows: {kinds}; {file['derived']} derived."
        yield report_files.table(_HEADER, (_cells(source, one) for source, one in file["sources"].items()))
    yield "## Licences"
    yield report_files.table(
        ("source", "licence"), ((one, "; ".join(names)) for one, names in card["licences"].items())
    )
    yield "## Left out"
    columns = ("source", "split", "rows", "why")
    yield report_files.table(columns, ([row[column] for column in columns] for row in card["dropped"]))


def _cells(source: str, one: Card) -> tuple[object, ...]:
    lengths = (
        f"{_joined(of['words'])} ({_joined(of['tokens'])})" if of["words"] else None
        for of in (one["documents"], one["summaries"])
    )
    copied = report_files.number(one["copied_bigrams"], 2)
    return (source, *one["kinds"].values(), one["derived"], *lengths, copied, _joined(one["max_words"]))


def _joined(quantiles: Card) -> str:
    return " / ".join(map(str, quantiles.values()))


def _figure(files: Mapping[str, Sequence[Example]]) -> "Figure":
    """Draw histograms of words: documents, summaries of positives and the lengths asked for, a line for each file."""
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than finding that all is done

    figure = Figure(figsize=(13, 3.5), layout="tight")
    panels: tuple[tuple[str, int, Callable[[Example], int]], ...] = (
        ("words of documents", 700, lambda one: len(one.document.split())),
        ("words of summaries (positives)", 150, lambda one: len(one.summary.split())),
        ("words asked for (positives)", 125, lambda one: one.max_words),
    )
    for axis, (title, most, size) in zip(figure.subplots(1, 3), panels, strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_ylabel("share of rows")
        for name, found in files.items():
            numbers = [size(one) for one in found if one.kind == "positive" or "positives" not in title]
            if numbers:
                share = np.full(len(numbers), 1 / len(numbers))
                bins = np.linspace(0, most, 26)
                axis.hist(np.minimum(numbers, most), bins=bins, weights=share, histtype="step", label=name)
        axis.legend(fontsize=8)
    return figure
