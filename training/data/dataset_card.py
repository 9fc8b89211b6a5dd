"""The data card: what is in the files, as Markdown for people, JSON for programs and a plot of lengths."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from querygist.files import replacing
from querygist.pipeline.attribution import ground
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from training.data.build_examples import DataStats
from training.data.examples import KINDS, Example

MARKDOWN, JSON, PLOT = "data_card.md", "data_card.json", "data_card.png"
QUANTILES = (0.1, 0.5, 0.9)

DERIVED = (
    "*Derived*: the answer that people chose, as whole sentences, and what follows them in the document to the "
    "requested length."
)
"""What the cards say of rows that are not as people left them."""

Card = dict[str, Any]


def write(
    folder: Path,
    examples: Mapping[str, Sequence[Example]],
    account: DataStats,
    tokenizer: Tokenizer,
    advance: Callable[[], None],
) -> list[Path]:
    """Write the three files and return their paths. `examples` by file name; `advance` is called for each example."""
    described = {
        "files": {name: describe(found, tokenizer, advance) for name, found in examples.items()},
        "licences": {source: sorted(names) for source, names in sorted(account.licences.items())},
        "dropped": [
            {"source": source, "split": split, "why": why, "rows": count}
            for (source, split, why), count in sorted(account.dropped.items())
        ],
    }
    paths = [folder / name for name in (MARKDOWN, JSON, PLOT)]
    with replacing(paths[0]) as partial:
        partial.write_text(as_markdown(described), encoding="utf-8")
    with replacing(paths[1]) as partial:
        partial.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    with replacing(paths[2]) as partial:
        _plot(partial, examples)
    return paths


def describe(found: Sequence[Example], tokenizer: Tokenizer, advance: Callable[[], None] = lambda: None) -> Card:
    """Counts by source and kind, quantiles of lengths, and how much of the answers is copied, of one file."""
    by_source: dict[str, list[Example]] = {}
    for example in found:
        by_source.setdefault(example.source, []).append(example)
    return {
        "kinds": Counter(example.kind for example in found),
        "derived": sum(example.derived and example.kind == "positive" for example in found),
        "sources": {source: _source(of_it, tokenizer, advance) for source, of_it in sorted(by_source.items())},
        "documents": _lengths([example.document for example in found], tokenizer),
        "summaries": _lengths([example.summary for example in found if example.kind == "positive"], tokenizer),
    }


def _source(found: Sequence[Example], tokenizer: Tokenizer, advance: Callable[[], None]) -> Card:
    positives = [example for example in found if example.kind == "positive"]
    copied = []
    for example in found:
        if example.kind == "positive":
            copied.append(ground(example.summary, CleanDocument(example.document, source=example.document)).copied)
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
    if not numbers:
        return {}
    found = np.quantile(numbers, QUANTILES)
    return {f"p{100 * q:.0f}": round(float(value)) for q, value in zip(QUANTILES, found, strict=True)}


def as_markdown(card: Card) -> str:
    """The card as tables. Lengths are the 10 %, 50 % and 90 % quantiles."""
    lines = [
        "# Data card",
        "",
        "Made by `python -m training data`. Lengths are quantiles (10 / 50 / 90 %) in words, tokens in brackets. "
        f"{DERIVED} "
        "*Copied*: share of the answer's bigrams that the document has. Summaries are those of positives.",
    ]
    for name, file in card["files"].items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in file["kinds"].items())
        lines += [
            "",
            f"## {name}",
            "",
            f"{sum(file['kinds'].values())} rows: {kinds}; {file['derived']} derived.",
            "",
            "| source | positive | hard | unrelated | derived | document | summary | copied | asked words |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for source, row in file["sources"].items():
            counts = " | ".join(str(row["kinds"][kind]) for kind in KINDS)
            copied = "" if row["copied_bigrams"] is None else f"{row['copied_bigrams']:.2f}"
            lines.append(
                f"| {source} | {counts} | {row['derived']} | {_shown(row['documents'])} | {_shown(row['summaries'])} "
                f"| {copied} | {_joined(row['max_words'])} |"
            )
    lines += ["", "## Licences", "", "| source | licence |", "| --- | --- |"]
    lines += [f"| {source} | {'; '.join(names)} |" for source, names in card["licences"].items()]
    lines += ["", "## Left out", "", "| source | split | rows | why |", "| --- | --- | --- | --- |"]
    lines += [f"| {row['source']} | {row['split']} | {row['rows']} | {row['why']} |" for row in card["dropped"]]
    return "\n".join(lines) + "\n"


def _shown(lengths: Card) -> str:
    return f"{_joined(lengths['words'])} ({_joined(lengths['tokens'])})" if lengths["words"] else ""


def _joined(quantiles: Card) -> str:
    return " / ".join(map(str, quantiles.values()))


def _plot(path: Path, examples: Mapping[str, Sequence[Example]]) -> None:
    """Histograms of words: documents, summaries of positives and the lengths asked for, a line for each file."""
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than finding that all is done

    figure = Figure(figsize=(13, 3.5))
    titles = ("words of documents", "words of summaries (positives)", "words asked for (positives)")
    for axis, title, most in zip(figure.subplots(1, 3), titles, (700, 150, 125), strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_ylabel("share of rows")
        bins = np.linspace(0, most, 26)
        for name, found in examples.items():
            positives = [example for example in found if example.kind == "positive"]
            numbers = {
                titles[0]: [len(example.document.split()) for example in found],
                titles[1]: [len(example.summary.split()) for example in positives],
                titles[2]: [example.max_words for example in positives],
            }[title]
            if numbers:
                share = np.full(len(numbers), 1 / len(numbers))
                axis.hist(np.minimum(numbers, most), bins=bins, weights=share, histtype="step", label=name)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, format="png", dpi=80)
