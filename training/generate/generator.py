"""What every generator of summaries gives, whatever runs it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.data.example_io import Example


@dataclass(frozen=True, slots=True)
class Generated:
    """One summary as the service would return it: one line, at most `max_words` words, "" when it refuses.

    `tokens`: ids the model wrote, the end id among them. `passes`: forward passes that took, where the generator knows.
    `seconds`: from the request to the whole summary, where requests were written one at a time.
    """

    text: str
    answerable: bool
    tokens: int = 0
    passes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to write: `count` summaries for each example; temperature 0 is greedy, and gives one."""

    count: int = 1
    temperature: float = 0.0
    seed: int = 0


GREEDY = Sampling()


class Generator(Protocol):
    """Writes summaries for examples."""

    @property
    def name(self) -> str:
        """What it is, for reports: an engine and the model in it."""
        ...

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """`sampling.count` summaries for each example, in order, as they come. Raises QuerygistError."""
        ...

    def close(self) -> None:
        """End it."""
        ...
