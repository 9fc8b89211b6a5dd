"""Filters of a teacher's summaries: those good enough to learn from, and the best of these."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from querygist.evaluation.rouge import rouge2
from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import ends_with_sentence, terms
from training.config import LabelConfig
from training.data import build_examples
from training.data.examples import Example
from training.generate.generator import Generated
from training.generate.unsupported_facts import unsupported_facts

KEPT = "kept"
OUTCOMES = ("refused", "too short", "too long", "unfinished", "not copied", "invented", KEPT)
"""What becomes of a summary: the first filter that stops it, in this order. A document fares as its best summary."""


def select_label(example: Example, samples: Sequence[Generated], recipe: LabelConfig, seed: int) -> dict[str, Any]:
    """Return what became of each sample, and the best of those no filter stopped, as the fields of an Example.

    Best is what agrees most with the others: the choice of least expected error when the samples are what the teacher
    thinks possible, and its own greedy choice only one of them (minimum Bayes risk; Kumar and Byrne, NAACL 2004). Then
    what is copied most, speaks of most of the query, is nearest to the length asked for, came first. The label asks for
    its own length, as the data stage's examples do.
    """
    document = CleanDocument(example.document, source=example.document)
    wanted = set(terms(example.query))
    copied = [attribute(sample.text, document).copied for sample in samples]
    outcomes = [_outcome(sample, example, share, recipe) for sample, share in zip(samples, copied, strict=True)]
    kept = [place for place, outcome in enumerate(outcomes) if outcome == KEPT]
    label = None
    if kept:

        def rank(place: int) -> tuple[float, float, int, int]:
            text = samples[place].text
            agreement = sum(rouge2(text, [samples[other].text]) for other in kept if other != place)
            covered = len(wanted & set(terms(text)))
            return agreement, copied[place], covered, -abs(len(text.split()) - example.max_words)

        text, id_ = samples[max(kept, key=rank)].text, f"{example.id}-label"
        words = build_examples.requested_words(text, seed, id_)
        label = asdict(replace(example, id=id_, summary=text, max_words=words, derived=True))
    return {"id": example.id, "outcome": max(outcomes, key=OUTCOMES.index), "samples": outcomes, "label": label}


def _outcome(sample: Generated, example: Example, copied: float, recipe: LabelConfig) -> str:
    words = len(sample.text.split())
    if not sample.answerable:
        return "refused"
    if words < recipe.min_words:
        return "too short"
    if words > example.max_words:
        return "too long"
    if not ends_with_sentence(sample.text):
        return "unfinished"
    if copied < recipe.min_copied:
        return "not copied"
    return "invented" if unsupported_facts(sample.text, example.document) else KEPT


def count(found: Sequence[Mapping[str, Any]], teacher: str, repeated: int) -> dict[str, Any]:
    """Counts of documents and of samples by what became of them; `found`: what `select_label` gave of each document."""
    documents = Counter(row["outcome"] for row in found)
    samples = Counter(outcome for row in found for outcome in row["samples"])
    lengths = sorted(len(row["label"]["summary"].split()) for row in found if row["label"])
    return {
        "teacher": teacher,
        "asked": len(found),
        "repeated": repeated,
        "documents": {outcome: documents[outcome] for outcome in OUTCOMES},
        "samples": {outcome: samples[outcome] for outcome in OUTCOMES},
        "words": {f"{10 * tenth} %": lengths[len(lengths) * tenth // 10] for tenth in (1, 5, 9)} if lengths else None,
    }
