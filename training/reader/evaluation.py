"""Measures of a trained reader on validation pages: what it chooses, what it refuses, how sure it is.

Beside it stand BM25, the untouched base's cosine, and plain sums of what is standardized within each page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from querygist.reader.windows import PageScores
from training.data.deduplication import Runs
from training.data.negatives import Pool
from training.reader import calibration, fusion, measures
from training.reader.mixture import Page
from training.reader.rows import ReaderRow
from training.reader.scoring import Scorer
from training.reader.selection import bm25
from training.reader.similarity import Similarity
from training.reader.units import Unit, units_of

Floats = NDArray[np.float32]

OWN_WORDS = frozenset({"pubmedqa", "qmsum_goldspan"})
SAME_ANSWERS = frozenset(
    {"policyqa", "policyqa_sent", "aclsum", "qmsum_goldspan", "feedbackqa", "conditionalqa_pool", "cast_snippets"}
)
"""Sources whose most similar page may answer, too: no hard negatives are made of them."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A page, people's answers to its query (none: it does not answer), and how its label was come by."""

    page: Page
    answers: tuple[str, ...]
    kind: str


def labelled(rows: Sequence[ReaderRow], pool_rows: Sequence[ReaderRow]) -> list[Labelled]:
    """Return the rows, and for each answered one a hard negative from the documents of `pool_rows`, if there is one."""
    found = [
        Labelled(_page(row, row.document), row.answers, "answerable" if row.answerable else "people") for row in rows
    ]
    sources = {row.source for row in rows if row.answerable and row.source not in SAME_ANSWERS}
    for source in sorted(sources):
        pool = Pool([row.as_row() for row in pool_rows if row.source == source], Runs())
        for row in rows:
            if row.source == source and row.answerable and (negative := pool.hard(row.as_row())) is not None:
                found.append(Labelled(_page(row, negative.document, hard=True), (), "hard"))
    return found


def rankings(
    items: Sequence[Labelled], scores: Sequence[PageScores], similarity: Similarity, weights: Floats | None
) -> dict[str, list[Floats]]:
    """Return, by name, the scores of the units of each page. Without weights, halves are fused by the other's."""
    pages = [item.page for item in items]
    columns = [fusion.features(page, found) for page, found in zip(pages, scores, strict=True)]
    lexical = [bm25(item.page.query, [unit.text for unit in item.page.units]) for item in items]
    cosine = [similarity.of(item.page.query, [unit.text for unit in item.page.units]) for item in items]
    units = [found.units for found in scores]
    own = [found.similarities for found in scores]
    return {
        "BM25": lexical,
        "cosine": cosine,
        "reader": units,
        "reader's cosine": own,
        "BM25 + cosine": summed(lexical, cosine),
        "reader + its cosine": summed(units, own),
        "BM25 + reader + its cosine": summed(lexical, units, own),
        "BM25 + reader + cosine": summed(lexical, units, cosine),
        "fused": fusion.crossed(pages, columns) if weights is None else [found @ weights for found in columns],
    }


def summed(*scores: Sequence[Floats]) -> list[Floats]:
    """Return the sums of scores, each standardized within its page."""
    return [np.sum([measures.standardized(one) for one in page], axis=0) for page in zip(*scores, strict=True)]


def selection(items: Sequence[Labelled], found: Mapping[str, Sequence[Floats]]) -> dict[str, Any]:
    """Return, by source and for all, top-1 in the answer and ROUGE-2 at the people's mean length of each ranking."""
    places = [place for place, item in enumerate(items) if item.answers]
    sources = {place: items[place].page.source for place in places}
    table: dict[str, Any] = {}
    overlaps: dict[str, list[float]] = {name: [] for name in found}
    hits: dict[str, list[bool]] = {name: [] for name in found}
    for source in sorted(set(sources.values())):
        own = [place for place in places if sources[place] == source]
        pages, answers = [items[place].page for place in own], [items[place].answers for place in own]
        words = measures.mean_words(answers)
        table[source] = {"rows": len(own), "words": round(words, 1)}
        for name, scores in found.items():
            chosen = [scores[place] for place in own]
            hit, overlap = measures.top1(pages, chosen), measures.quotes(pages, chosen, answers, words)
            table[source][name] = {"top1": _percent(hit), "rouge2": round(float(np.mean(overlap)), 1)}
            if source not in OWN_WORDS:
                hits[name] += hit
                overlaps[name] += overlap
    table["all"] = {"rows": len(places)} | {
        name: {"top1": _percent(hits[name]), "rouge2": round(float(np.mean(overlaps[name])), 1)} for name in found
    }
    return table


def refusals(items: Sequence[Labelled], logits: NDArray[np.float64]) -> dict[str, Any]:
    """Return AUC and refused share at one threshold for all, by kind of negative and by source."""
    kinds = np.array([item.kind for item in items])
    sources = np.array([item.page.source for item in items])
    answering = logits[kinds == "answerable"]
    threshold = float(np.quantile(answering, 0.05))
    table: dict[str, Any] = {"threshold": threshold}
    for kind in sorted(set(kinds) - {"answerable"}):
        others = logits[kinds == kind]
        table[kind] = {
            "pages": len(others),
            "auc": round(measures.auc(answering, others), 3),
            "refused": _percent(others < threshold),
        }
    table["sources"] = {
        source: {
            kind: {"pages": int(there.sum()), "refused": _percent(logits[there] < threshold)}
            for kind in sorted(set(kinds))
            if (there := (kinds == kind) & (sources == source)).any()
        }
        for source in sorted(set(sources))
    }
    return table


def calibrated(logits: NDArray[np.float64], answerable: NDArray[np.float64]) -> dict[str, Any]:
    """Return the temperature, and calibration before, after, and where each half is scaled by the other's."""
    temperature = calibration.fit_temperature(logits, answerable)
    before, after = (calibration.probability(logits, value) for value in (1.0, temperature))
    halves = np.arange(len(logits)) % 2
    crossed = np.empty_like(logits)
    for half in (0, 1):
        other = calibration.fit_temperature(logits[halves != half], answerable[halves != half])
        crossed[halves == half] = calibration.probability(logits[halves == half], other)
    return {
        "temperature": temperature,
        "ece_before": calibration.expected_calibration_error(before, answerable),
        "ece_after": calibration.expected_calibration_error(after, answerable),
        "ece_crossed": calibration.expected_calibration_error(crossed, answerable),
        "reliability": [asdict(found) for found in calibration.reliability(after, answerable)],
    }


def evaluate(
    items: Sequence[Labelled], scorer: Scorer, similarity: Similarity, out: Path, weights: Floats | None = None
) -> dict[str, Any]:
    """Measure everything on the items, and write it as JSON. `weights`: of `fusion`; none: fitted here, in halves."""
    similarity.add(text for item in items for text in (item.page.query, *(unit.text for unit in item.page.units)))
    pages = [item.page for item in items]
    scores = scorer.score(pages)
    logits = np.array([found.page for found in scores])
    answerable = np.array([float(item.kind == "answerable") for item in items])
    report = {
        "selection": selection(items, rankings(items, scores, similarity, weights)),
        "refusals": refusals(items, logits),
        "calibration": calibrated(logits, answerable),
    }
    if weights is None:
        weights = fusion.fit(pages, [fusion.features(page, found) for page, found in zip(pages, scores, strict=True)])
    report["fusion"] = dict(zip(fusion.FEATURES, weights.tolist(), strict=True))
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _page(row: ReaderRow, document: str, *, hard: bool = False) -> Page:
    if hard:
        row = row.model_copy(update={"document": document, "answerable": False})
    units: list[Unit] = units_of(row)
    return Page(f"{row.id} hard" if hard else row.id, row.source, row.query, units, row.answerable)


def _percent(values: Any) -> float:
    return round(100 * float(np.mean(values)), 1)
