"""The report of an evaluation: Markdown for people, JSON for programs, and plots. All three show one `Report`.

Nothing in it tells the time or the machine: the same outputs give the same files.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from querygist.engines.base import Identity
from querygist.evaluation.rouge import Interval
from querygist.files import replacing
from training.evaluate import plots
from training.evaluate.measures import Aggregate, Measured, Quality, RougeMeans, Share, aggregate, differences

MARKDOWN, JSON = "evaluation.md", "evaluation.json"
ROUGE_PLOT, LENGTH_PLOT, REQUESTED_PLOT = "rouge2.png", "length_rouge2.png", "requested_words.png"

_NONE = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """What the files are made from. Systems are in the order of their rows, and by source within.

    `differences` are from the system `fallback`, which has none itself. `models`: of the systems that are one.
    """

    commands: tuple[str, ...]
    models: Mapping[str, Identity]
    fallback: str
    systems: Mapping[str, Mapping[str, Aggregate]]
    differences: Mapping[str, Mapping[str, RougeMeans]]


def build(
    systems: Mapping[str, Sequence[Measured]],
    *,
    fallback: str,
    models: Mapping[str, Identity],
    commands: Sequence[str],
    seed: int,
) -> Report:
    """Aggregate what was measured of each system. Raises KeyError when `fallback` is none of them."""
    beside = systems[fallback]
    return Report(
        commands=tuple(commands),
        models=dict(models),
        fallback=fallback,
        systems={name: aggregate(found, seed=seed) for name, found in systems.items()},
        differences={
            name: differences(found, beside, seed=seed) for name, found in systems.items() if name != fallback
        },
    )


def write(folder: Path, report: Report) -> list[Path]:
    """Write the five files and return their paths."""
    texts = {MARKDOWN: as_markdown(report), JSON: json.dumps(asdict(report), indent=1) + "\n"}
    for name, text in texts.items():
        with replacing(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
    qualities, systems = _qualities(report), list(report.systems)
    drawn = {
        ROUGE_PLOT: plots.rouge(qualities, systems),
        LENGTH_PLOT: plots.length(qualities, systems),
        REQUESTED_PLOT: plots.requested(qualities, systems),
    }
    for name, figure in drawn.items():
        with replacing(folder / name) as partial:
            figure.savefig(partial, format="png", dpi=80, metadata={"Software": None})
    return [folder / name for name in (*texts, *drawn)]


def as_markdown(report: Report) -> str:
    """The report as tables."""
    lines = [
        "# Evaluation",
        "",
        "ROUGE is F1 x 100 (rouge-score, stemmer on, best of several references); a refused positive scores 0. "
        "In brackets: 95 % bootstrap intervals over examples. `all` counts every example the same.",
        "",
        *(f"    {command}" for command in report.commands),
        "",
        "## Models",
        "",
        *_table(
            ("system", "model", "version", "adapter", "prompt", "precision"),
            (
                (name, one.name, one.version, (one.adapter_sha256 or "none")[:12], one.prompt_version, one.precision)
                for name, one in report.models.items()
            ),
        ),
        "",
        "## ROUGE",
    ]
    for source, of_it in _qualities(report).items():
        lines += ["", f"### {source}", "", *_table(_ROUGE_HEADER, (_rouge_row(*row) for row in of_it))]
    lines += ["", f"![ROUGE-2 by source and system]({ROUGE_PLOT})", "", "## Length and faithfulness", ""]
    lines += [
        "Of the answered positives. *Given / asked*: words for each word of `max_words`; *over*: more than asked for. "
        "*Compression*: words for each word of the document. *Copied*: share of bigrams that the document has. "
        "*Invented*: outputs with a number or name that the document does not have."
    ]
    rows = ((source, *_length_row(*row)) for source, of_it in _qualities(report).items() for row in of_it)
    lines += ["", *_table(_LENGTH_HEADER, rows)]
    lines += ["", f"![Length against ROUGE-2]({LENGTH_PLOT})", "", f"![Words given and asked for]({REQUESTED_PLOT})"]
    lines += ["", "## Refusals", "", *_table(_REFUSALS_HEADER, _refusal_rows(report))]
    lines += ["", "## Speed", "", *_table(_SPEED_HEADER, _speed_rows(report))]
    lines += ["", f"## Differences from {report.fallback}", "", "On the positives that both wrote for.", ""]
    lines += _table(("system", "source", "rows", "ROUGE-1", "ROUGE-2", "ROUGE-L"), _difference_rows(report))
    return "\n".join(lines) + "\n"


_ROUGE_HEADER = ("system", "rows", "ROUGE-1", "ROUGE-2", "ROUGE-L", "words", "people's words")
_LENGTH_HEADER = ("source", "system", "asked", "words", "given / asked", "over", "compression", "copied", "invented")
_REFUSALS_HEADER = ("system", "source", "unrelated", "hard", "positive (wrong)", "precision", "recall", "F1")
_SPEED_HEADER = ("system", "source", "tokens", "passes", "tokens / pass", "timed", "p50 ms", "p95 ms")


def _rouge_row(system: str, quality: Quality) -> Sequence[str]:
    rouge = (_bounds(one) for one in (quality.rouge.rouge1, quality.rouge.rouge2, quality.rouge.rouge_l))
    return system, f"{quality.rows}", *rouge, _mean(quality.words), f"{quality.reference_words:.1f}"


def _length_row(system: str, quality: Quality) -> Sequence[str]:
    return (
        system,
        f"{quality.requested:.1f}",
        _bounds(quality.words),
        _bounds(quality.obedience, digits=2),
        _share(quality.over),
        _bounds(quality.compression, digits=3),
        _bounds(quality.copied, digits=3),
        _share(quality.invented),
    )


def _refusal_rows(report: Report) -> Iterator[Sequence[str]]:
    for system, source, one in _aggregates(report):
        found = one.refusals
        shares = (_share(share) for share in (found.unrelated, found.hard, found.positive))
        scores = (_number(score, digits=3) for score in (found.precision, found.recall, found.f1))
        yield system, source, *shares, *scores


def _speed_rows(report: Report) -> Iterator[Sequence[str]]:
    for system, source, one in _aggregates(report):
        speed = one.speed
        if speed.tokens or speed.timed:
            milliseconds = (_number(each and 1000 * each, digits=0) for each in (speed.p50_seconds, speed.p95_seconds))
            ratio = _number(speed.step_compression, digits=2)
            yield system, source, f"{speed.tokens}", f"{speed.passes}", ratio, f"{speed.timed}", *milliseconds


def _difference_rows(report: Report) -> Iterator[Sequence[str]]:
    for system, by_source in report.differences.items():
        for source, means in by_source.items():
            signed = (_bounds(one, sign="+") for one in (means.rouge1, means.rouge2, means.rouge_l))
            yield system, source, f"{means.rouge1.rows}", *signed


def _aggregates(report: Report) -> Iterator[tuple[str, str, Aggregate]]:
    for system, by_source in report.systems.items():
        for source, one in by_source.items():
            yield system, source, one


def _qualities(report: Report) -> dict[str, list[tuple[str, Quality]]]:
    """The systems that wrote for positives of a source, by source."""
    found: dict[str, list[tuple[str, Quality]]] = {}
    for system, source, one in _aggregates(report):
        if one.quality:
            found.setdefault(source, []).append((system, one.quality))
    return found


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _number(value: float | None, *, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _mean(found: Interval | None) -> str:
    return _number(found.mean if found else None, digits=1)


def _bounds(found: Interval | None, *, digits: int = 1, sign: str = "") -> str:
    if found is None:
        return _NONE
    mean, low, high = (f"{value:{sign}.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def _share(found: Share) -> str:
    return _NONE if found.share is None else f"{100 * found.share:.1f} % ({found.count}/{found.rows})"
