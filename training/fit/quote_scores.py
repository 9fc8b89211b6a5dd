"""Scores of the service's quote with other weights, on examples, in two processes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import Self

from querygist.evaluation.rouge import rouge2
from querygist.evaluation.sentences import compare, used
from querygist.text.cleaning import CleanDocument, clean_document
from querygist.text.quote import quote
from querygist.text.ranking import WEIGHTS, Weights
from querygist.text.sentences import Span, bounded_spans
from training.data.examples import Example

_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class RowScore:
    """Of one quote. `sentence_f1`: None where people's answer is not made of the document's sentences."""

    rouge2: float
    sentence_f1: float | None
    words: int

    @property
    def mean(self) -> float:
        """The mean of both: ROUGE-2 sees a sentence that is cut, F1 one that is not the answer's."""
        return self.rouge2 if self.sentence_f1 is None else (self.rouge2 + self.sentence_f1) / 2


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All of an example that does not depend on the weights."""

    example: Example
    document: CleanDocument
    sentences: Sequence[Span]
    wanted: Sequence[frozenset[int]]

    @classmethod
    def of(cls, example: Example) -> Self:
        sentences = bounded_spans(example.document)
        wanted = [places for text in example.references if (places := used(example.document, sentences, text))]
        return cls(example, clean_document(example.document, content_type="text/plain"), sentences, wanted)

    def score(self, weights: Weights) -> RowScore:
        text = quote(self.document, self.example.query, max_words=self.example.max_words, weights=weights).text
        chosen = used(self.example.document, self.sentences, text)
        f1 = max((compare(chosen, places).f1 for places in self.wanted), default=None)
        return RowScore(rouge2(text, self.example.references), f1, len(text.split()))


_prepared: list[_Prepared] = []  # of the process


def _prepare(examples: Sequence[Example]) -> None:
    _prepared[:] = map(_Prepared.of, examples)


def _score(place: int, weights: Weights) -> RowScore:
    return _prepared[place].score(weights)


class QuoteScores:
    """Scores of quotes for positives, in order; a context manager, as it holds processes."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._size = len(examples)
        self._pool = ProcessPoolExecutor(
            _PROCESSES, mp_context=get_context("spawn"), initializer=_prepare, initargs=(list(examples),)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def at(self, point: Mapping[str, float]) -> list[RowScore]:
        """Score every example with the weights of a point."""
        places, weights = range(self._size), weights_of(point)
        return list(self._pool.map(_score, places, [weights] * self._size, chunksize=max(1, self._size // 8)))


def weights_of(point: Mapping[str, float]) -> Weights:
    """Return the weights, the others as they ship; whole numbers and switches stay what they are."""
    shipped = asdict(WEIGHTS)
    return replace(WEIGHTS, **{name: type(shipped[name])(value) for name, value in point.items()})


def shipped_point() -> dict[str, float]:
    """Return the weights that ship, as numbers."""
    return {name: float(value) for name, value in asdict(WEIGHTS).items()}
