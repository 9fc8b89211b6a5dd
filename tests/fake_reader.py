"""A reader without weights: it likes units that hold a word."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from querygist.deadline import Deadline
from querygist.errors import ReaderUnavailable
from querygist.reader.pages import PageToRead, Reading

FUSION = {
    "bias": 0.0, "answer": 1.0, "similarity": 0.0, "words": 0.0, "first": 0.0, "listed": 0.0, "entry": 0.5,
    "next_bonus": 0.0,
}  # fmt: skip


@dataclass
class FakeReader:
    """Units with `word` answer, and so does a page with one. While `failing` it cannot be asked; `gate` holds it up."""

    word: str
    failing: bool = False
    gate: asyncio.Event | None = None
    pages: list[PageToRead] = field(default_factory=list)
    card: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="fake-reader", version="1", identity="fake-reader 1", fusion=FUSION, threshold=0.5
        )
    )  # fmt: skip

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to stop."""

    async def read(self, pages: Sequence[PageToRead], _deadline: Deadline) -> list[Reading]:
        if self.failing:
            raise ReaderUnavailable("The fake reader was told to fail.")
        self.pages += pages
        if self.gate is not None:
            await self.gate.wait()
        return [self._read(page) for page in pages]

    def _read(self, page: PageToRead) -> Reading:
        logits = tuple(4.0 if self.word in text else -4.0 for text in page.units)
        return Reading(logits, tuple(0.0 for _ in logits), 0.9 if max(logits) > 0 else 0.1)
