"""The report on a reader: what it chooses, what it refuses, and how sure it is. Beside it stand BM25 and the base."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from querygist.evaluation import report_files
from querygist.evaluation.report_files import bounds, table
from querygist.evaluation.rouge import Interval, interval, rouge2
from querygist.pipeline.fusion import Fusion
from querygist.text.units import written
from training.reader import calibration, measures
from training.reader.evaluation import OWN_WORDS
from training.reader.read_pages import ReadPage
from training.reader.similarity import Similarity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALL = "all"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of one ranking on one source. `top1`: share of pages whose best unit answers, %; `rouge2`: of the best units that
    fill people's mean length.
    """

    top1: float
    rouge2: Interval


@dataclass(frozen=True, slots=True)
class Refused:
    """Of one kind of page. `auc`: how often a page that answers scores above one of these."""

    pages: int
    refused: float
    auc: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """`selection` and `refusals` by source and then by ranking, or by kind of page."""

    selection: Mapping[str, Mapping[str, Chosen]]
    words: Mapping[str, float]
    refusals: Mapping[str, Mapping[str, Refused]]
    threshold: float
    temperature: float
    calibration_error: float
    uncalibrated_error: float
    reliability: Sequence[calibration.Bin]
    fusion: Mapping[str, float]


def build(
    pages: Sequence[ReadPage],
    fusion: Fusion,
    similarity: Similarity,
    *,
    temperature: float,
    threshold: float,
    seed: int,
) -> Report:
    """Measure pages. `threshold`: the probability below which a page is refused."""
    logits = np.array([page.logit for page in pages])
    answerable = np.array([float(page.item.kind == "answerable") for page in pages])
    probabilities = calibration.probability(logits, temperature)
    return Report(
        *_selection([page for page in pages if page.item.answers], fusion, similarity, seed),
        refusals=_refusals(pages, probabilities, threshold),
        threshold=threshold,
        temperature=temperature,
        calibration_error=calibration.expected_calibration_error(probabilities, answerable),
        uncalibrated_error=calibration.expected_calibration_error(calibration.probability(logits, 1.0), answerable),
        reliability=calibration.reliability(probabilities, answerable),
        fusion=asdict(fusion),
    )


def _selection(
    pages: Sequence[ReadPage], fusion: Fusion, similarity: Similarity, seed: int
) -> tuple[dict[str, dict[str, Chosen]], dict[str, float]]:
    texts = [[written(page.ranking.text, unit.slices) for unit in page.ranking.units] for page in pages]
    similarity.add(text for page, units in zip(pages, texts, strict=True) for text in (page.item.query, *units))
    rankings = [_rankings(page, units, fusion, similarity) for page, units in zip(pages, texts, strict=True)]
    sources = sorted({page.item.source for page in pages})
    words = {one: fmean(len(p.item.answers[0].split()) for p in pages if p.item.source == one) for one in sources}
    scores = [
        {
            name: (_top1(page, found), rouge2(measures.fill(units, found, words[page.item.source]), page.item.answers))
            for name, found in ranking.items()
        }
        for page, units, ranking in zip(pages, texts, rankings, strict=True)
    ]
    selection: dict[str, dict[str, Chosen]] = {}
    for source in (*sources, ALL):
        own = [
            place
            for place, page in enumerate(pages)
            if source in (page.item.source, ALL) and not (source == ALL and page.item.source in OWN_WORDS)
        ]
        queries = [pages[place].item.query.casefold() for place in own]
        selection[source] = {
            name: Chosen(
                measures.percent([hit for place in own if (hit := scores[place][name][0]) is not None]),
                interval([scores[place][name][1] for place in own], seed=seed, clusters=queries),
            )
            for name in rankings[0]
        }
    return selection, words


def _rankings(page: ReadPage, units: Sequence[str], fusion: Fusion, similarity: Similarity) -> dict[str, Floats]:
    cosine = similarity.of(page.item.query, units).astype(float)
    words, reader, own = (
        np.array([np.nan if value is None else value for value in values], float)
        for values in (page.ranking.scores, page.reading.units, page.reading.similarities)
    )
    found = {
        "BM25": words,
        "cosine of the untouched base": cosine,
        "BM25 + cosine of the untouched base": measures.standardized(words) + measures.standardized(cosine),
        "reader": reader,
        "reader's cosine": own,
        "fused": np.array(fusion.fused(page.ranking, page.reading).scores),
        "fused + cosine of the untouched base": measures.standardized(
            np.array(fusion.fused(page.ranking, page.reading).scores)
        )
        + measures.standardized(cosine),
    }
    return {name: np.nan_to_num(scores, nan=-1e9) for name, scores in found.items()}


def _top1(page: ReadPage, scores: Floats) -> bool | None:
    """Return if the best unit answers; None where nobody knows of any that does."""
    return bool(page.marks[int(scores.argmax())]) if any(page.marks) else None


def _refusals(pages: Sequence[ReadPage], probabilities: Floats, threshold: float) -> dict[str, dict[str, Refused]]:
    kinds = np.array([page.item.kind for page in pages])
    sources = np.array([page.item.source for page in pages])
    found: dict[str, dict[str, Refused]] = {}
    for source in (*sorted(set(sources)), ALL):
        here = (sources == source) | (source == ALL)
        answering = probabilities[here & (kinds == "answerable")]
        found[source] = {}
        for kind in ("answerable", "hard", "unrelated", "people"):
            those = probabilities[here & (kinds == kind)]
            if len(those):
                auc = measures.auc(answering, those) if kind != "answerable" and len(answering) else None
                found[source][kind] = Refused(len(those), measures.percent(those < threshold), auc)
    return found


def write(folder: Path, name: str, title: str, command: str, report: Report) -> Path:
    """Write Markdown, JSON and the reliability plot; return the Markdown's path."""
    rankings = list(report.selection[ALL])
    sections = [
        f"# {title}",
        f"    {command}",
        "## What is chosen",
        "ROUGE-2 (F1 x 100) of the best units that fill people's mean length, in page order, and in brackets its 95 % "
        "interval, the rows of one query drawn together; and the share of pages whose best unit answers. All of them "
        "choose from the same units; nothing is refused. `all` leaves out sources whose answers are in people's own "
        "words.",
        table(
            ("source", "words", *rankings),
            (
                (
                    f"{source} ({of_it[rankings[0]].rouge2.rows})",
                    f"{report.words[source]:.0f}" if source in report.words else None,
                    *(f"{bounds(of_it[name].rouge2)}; {of_it[name].top1:.0f} %" for name in rankings),
                )
                for source, of_it in report.selection.items()
            ),
        ),
        "Weights of *fused*, beside BM25's own: "
        + ", ".join(f"{weight} {value:.3g}" for weight, value in report.fusion.items())
        + ".",
        "## What is refused",
        f"Pages that score below {report.threshold:.3f}. Hard: the page of the source that shares most words with the "
        "query and does not answer; people: of which people say so. In brackets the number of pages, then the AUC "
        "against the answerable pages of the source.",
        table(
            ("source", "answerable", "hard", "unrelated", "people"),
            (
                (source, *(_cell(of_it.get(kind)) for kind in ("answerable", "hard", "unrelated", "people")))
                for source, of_it in report.refusals.items()
            ),
        ),
        "## How sure it is",
        f"The score is the page's logit divided by {report.temperature:.3f}, as a probability. Expected calibration "
        f"error {report.calibration_error:.3f}; undivided {report.uncalibrated_error:.3f}. The pages above are counted "
        "as they are: another mix of pages has other odds.",
        f"![Share of pages that answer, by score]({name}.png)",
    ]
    return report_files.write(folder, name, sections=sections, data=report, figures={name: _reliability(report)})


def _cell(found: Refused | None) -> str | None:
    if found is None:
        return None
    return f"{found.refused:.1f} % ({found.pages})" + ("" if found.auc is None else f", {found.auc:.3f}")


def _reliability(report: Report) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than the rest

    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axis = figure.add_subplot(xlabel="score", ylabel="share that answers", xlim=(0, 1), ylim=(0, 1))
    axis.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axis.plot([bin_.probability for bin_ in report.reliability], [bin_.answering for bin_ in report.reliability], "o-")
    for bin_ in report.reliability:
        axis.annotate(str(bin_.pages), (bin_.probability, bin_.answering), fontsize=7)
    return figure
