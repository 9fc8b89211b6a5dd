"""Measures of one output of a system."""

from dataclasses import dataclass

from querygist.evaluation import sentences
from querygist.evaluation.rouge import NOTHING, Rouge, score
from querygist.evaluation.sentences import SentenceScore
from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument
from training.data.examples import Example, Kind
from training.generate.generator import Generated
from training.generate.unsupported_facts import unsupported_facts


@dataclass(frozen=True, slots=True)
class Measured:
    """One output. `rouge`: of positives only. `sentences`: of those whose references are made of the document's.
    `reference_words`: the mean of what people wrote. `cluster`: the query; examples that share it vary together.

    `compression`: words of the output for each word of the document. `copied`: share of its bigrams that stand in the
    document. `invented`: numbers and names in it that do not. Lengths are in words, as `len(text.split())` counts them.
    """

    id: str
    source: str
    kind: Kind
    answered: bool
    rouge: Rouge | None
    requested: int
    reference_words: float
    words: int
    compression: float
    copied: float
    invented: int
    tokens: int
    passes: int | None
    seconds: float | None
    sentences: SentenceScore | None
    cluster: str


def measure(example: Example, generated: Generated) -> Measured:
    """Measure one output."""
    references = example.references or (example.summary,)
    text = generated.text if generated.answerable else ""
    document = CleanDocument(example.document, source=example.document)
    words = len(text.split())
    rouge = None
    if example.kind == "positive":
        rouge = score(text, references) if text else NOTHING
    return Measured(
        id=example.id,
        source=example.source,
        kind=example.kind,
        answered=generated.answerable,
        rouge=rouge,
        requested=example.max_words,
        reference_words=sum(len(reference.split()) for reference in references) / len(references),
        words=words,
        compression=words / len(example.document.split()),
        copied=attribute(text, document).copied,
        invented=0
        if text in example.document
        else len(unsupported_facts(text, example.document)),  # the whole document is slow
        tokens=generated.tokens,
        passes=generated.passes,
        seconds=generated.seconds,
        sentences=sentences.score(example.document, text, references) if example.kind == "positive" else None,
        cluster=example.query.casefold(),
    )
