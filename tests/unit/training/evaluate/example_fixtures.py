"""Made-up examples and measurements: every field has a value that no test cares about."""

from querygist.evaluation.rouge import Rouge
from querygist.evaluation.sentences import SentenceScore
from training.data.examples import Example, Kind
from training.evaluate.measures import Measured

DOCUMENT = "Owls hunt at night. Their eyes are large. Mice sleep by day. They eat grain."


def example(
    id_: str = "a",
    *,
    source: str = "made",
    kind: Kind = "positive",
    query: str = "when do owls hunt",
    document: str = DOCUMENT,
    max_words: int = 10,
    references: tuple[str, ...] = ("Owls hunt at night.",),
) -> Example:
    return Example(id_, source, query, document, "Owls hunt at night.", max_words, kind, False, references)


def measured(
    id_: str = "a",
    *,
    source: str = "made",
    kind: Kind = "positive",
    answered: bool = True,
    rouge: float = 50.0,
    requested: int = 10,
    words: int = 8,
    invented: int = 0,
    tokens: int = 0,
    passes: int | None = None,
    seconds: float | None = None,
    sentence_f1: float | None = 80.0,
    cluster: str | None = None,
) -> Measured:
    return Measured(
        id_, source, kind, answered,
        Rouge(rouge, rouge / 2, rouge / 4) if kind == "positive" else None,
        requested, 12.0, words, words / 40, 0.5, invented, tokens, passes, seconds,
        None if sentence_f1 is None or kind != "positive" else SentenceScore(sentence_f1 / 2, 100.0, sentence_f1),
        cluster or id_,
    )  # fmt: skip
