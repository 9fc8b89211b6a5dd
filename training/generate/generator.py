"""The protocol of every generator of summaries, whatever runs it, and what it gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from querygist.pipeline.generation import Completion
from training.data.examples import Example


@dataclass(frozen=True, slots=True)
class Generated:
    """One summary as the service would return it: one line, at most `max_words` words, "" when it refuses.

    `tokens`: ids the model wrote, the end id among them. `passes`: forward passes that took, where that is known.
    `seconds`: from the request to the whole summary, where requests were made one at a time.
    """

    text: str
    answerable: bool
    tokens: int = 0
    passes: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, completion: Completion, *, passes: int | None = None) -> Self:
        """A completion, and the forward passes that it took."""
        return cls(completion.text, completion.answerable, completion.tokens + completion.ended, passes)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Decoding parameters: `count` summaries for each example; temperature 0 is greedy, and gives one."""

    count: int = 1
    temperature: float = 0.0
    seed: int = 0


GREEDY = Sampling()


class Generator(Protocol):
    """Generates summaries for examples."""

    @property
    def name(self) -> str:
        """An engine and the model in it, for reports."""
        ...

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """`sampling.count` summaries for each example, in order, as they come. Raises QuerygistError."""
        ...

    def close(self) -> None:
        """End it."""
        ...
