"""The report of an evaluation: Markdown for people, JSON for programs, and plots. All three show one `Report`.

Nothing in it tells the time or the machine: the same outputs give the same files.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from querygist.engines.base import Identity
from querygist.evaluation import report_files
from querygist.evaluation.report_files import bounds, number, table
from training.evaluate import plots
from training.evaluate.differences import FromControl, from_best_control
from training.evaluate.means import Aggregate, Quality, RougeMeans, Share, aggregate
from training.evaluate.measures import Measured

NAME = "evaluation"
JSON = f"{NAME}.json"


@dataclass(frozen=True, slots=True)
class Report:
    """The content of the files. Systems are in the order of their rows, and by source within.

    `differences` are from the best of the `controls` by source. `models`: of the systems that are one.
    """

    commands: tuple[str, ...]
    models: Mapping[str, Identity]
    controls: tuple[str, ...]
    systems: Mapping[str, Mapping[str, Aggregate]]
    differences: Mapping[str, Mapping[str, FromControl]]


def build(
    systems: Mapping[str, Sequence[Measured]],
    *,
    controls: Collection[str],
    models: Mapping[str, Identity],
    commands: Sequence[str],
    seed: int,
) -> Report:
    """Aggregate what was measured of each system. Raises ValueError when none of them is a control row."""
    present = tuple(name for name in systems if name in controls)
    if not present:
        raise ValueError(f"none of {', '.join(systems)} is one of the control rows {', '.join(controls)}")
    return Report(
        commands=tuple(commands),
        models=dict(models),
        controls=present,
        systems={name: aggregate(found, seed=seed) for name, found in systems.items()},
        differences=from_best_control(systems, present, seed=seed),
    )


def write(folder: Path, report: Report) -> Path:
    """Write the five files into `folder` and return the Markdown's path."""
    qualities, systems = _qualities(report), list(report.systems)
    figures = {
        "rouge2": plots.rouge(qualities, systems),
        "length_rouge2": plots.length(qualities, systems),
        "requested_words": plots.requested(qualities, systems),
    }
    return report_files.write(folder, NAME, sections=_sections(report), data=report, figures=figures)


def _sections(report: Report) -> Iterator[str]:
    qualities = _qualities(report)
    yield "# Evaluation"
    yield (
        "ROUGE is F1 x 100 (rouge-score, stemmer on, best of several references); a refused positive scores 0. "
        "In brackets: 95 % bootstrap intervals, the examples of one query drawn together. `all` counts every example "
        f"the same. Control rows: {', '.join(report.controls)}."
    )
    yield "\n".join(f"    {command}" for command in report.commands)
    yield "## Models"
    yield table(
        ("system", "model", "version", "adapter", "prompt", "precision"),
        (
            (name, one.name, one.version, (one.adapter_sha256 or "none")[:12], one.prompt_version, one.precision)
            for name, one in report.models.items()
        ),
    )
    yield "## ROUGE"
    for source, of_it in qualities.items():
        yield f"### {source}"
        yield table(
            ("system", "rows", "ROUGE-1", "ROUGE-2", "ROUGE-L", "words", "people's words"),
            (
                (
                    *(name, quality.rows, *_rouge(quality.rouge)),
                    *(number(quality.words.mean if quality.words else None), number(quality.reference_words)),
                )
                for name, quality in of_it
            ),
        )
    yield "![ROUGE-2 by source and system](rouge2.png)"
    yield "## Sentences"
    yield (
        "Which sentences of the document the output is made of, against those that people's answer is made of: "
        "precision, recall and F1 x 100, on the positives whose answer is made of the document's sentences."
    )
    yield table(
        ("source", "system", "rows", "precision", "recall", "F1"),
        (
            (source, name, one.f1.rows, *(bounds(each) for each in (one.precision, one.recall, one.f1)))
            for source, of_it in qualities.items()
            for name, quality in of_it
            if (one := quality.sentences)
        ),
    )
    yield "## Length and faithfulness"
    yield (
        "Of the answered positives. *Given / asked*: words for each word of `max_words`; *over*: more than asked for. "
        "*Compression*: words for each word of the document. *Copied*: share of bigrams that the document has. "
        "*Invented*: outputs with a number or name that the document does not have."
    )
    yield table(
        ("source", "system", "asked", "words", "given / asked", "over", "compression", "copied", "invented"),
        ((source, *_length(*row)) for source, of_it in qualities.items() for row in of_it),
    )
    yield "![Length against ROUGE-2](length_rouge2.png)"
    yield "![Words given and asked for](requested_words.png)"
    yield "## Refusals"
    yield table(
        ("system", "source", "unrelated", "hard", "positive (wrong)", "precision", "recall", "F1"),
        _refusals(report),
    )
    yield "## Speed"
    yield table(("system", "source", "tokens", "passes", "tokens / pass", "timed", "p50 ms", "p95 ms"), _speeds(report))
    yield "## Differences from the best control row"
    yield "By source the control row with the highest ROUGE-2, on the positives that both generated for."
    yield table(
        ("system", "source", "from", "rows", "ROUGE-1", "ROUGE-2", "ROUGE-L", "sentence F1"),
        (
            (
                *(system, source, one.control, one.difference.rouge.rouge1.rows),
                *(*_rouge(one.difference.rouge, "+"), bounds(one.difference.sentence_f1, sign="+")),
            )
            for system, by_source in report.differences.items()
            for source, one in by_source.items()
        ),
    )


def _rouge(means: RougeMeans, sign: str = "") -> Sequence[str]:
    return [bounds(one, sign=sign) for one in (means.rouge1, means.rouge2, means.rouge_l)]


def _length(system: str, quality: Quality) -> Sequence[str]:
    return (
        system,
        number(quality.requested),
        bounds(quality.words),
        bounds(quality.obedience, 2),
        _share(quality.over),
        bounds(quality.compression, 3),
        bounds(quality.copied, 3),
        _share(quality.invented),
    )


def _refusals(report: Report) -> Iterator[Sequence[str]]:
    for system, source, one in _aggregates(report):
        found = one.refusals
        shares = (_share(share) for share in (found.unrelated, found.hard, found.positive))
        yield system, source, *shares, *(number(score, 3) for score in (found.precision, found.recall, found.f1))


def _speeds(report: Report) -> Iterator[Sequence[object]]:
    for system, source, one in _aggregates(report):
        speed = one.speed
        if speed.tokens or speed.timed:
            milliseconds = (number(each and 1000 * each, 0) for each in (speed.p50_seconds, speed.p95_seconds))
            counts = (speed.tokens, speed.passes, number(speed.step_compression, 2), speed.timed)
            yield system, source, *counts, *milliseconds


def _aggregates(report: Report) -> Iterator[tuple[str, str, Aggregate]]:
    for system, by_source in report.systems.items():
        for source, one in by_source.items():
            yield system, source, one


def _qualities(report: Report) -> dict[str, list[tuple[str, Quality]]]:
    """The systems that generated for positives of a source, by source."""
    found: dict[str, list[tuple[str, Quality]]] = {}
    for system, source, one in _aggregates(report):
        if one.quality:
            found.setdefault(source, []).append((system, one.quality))
    return found


def _share(found: Share) -> str:
    return f"{number(found.share and 100 * found.share)} % ({found.count}/{found.rows})" if found.rows else "-"
