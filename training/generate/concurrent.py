"""Generators that ask an asyncio client for one greedy summary at a time, several at once."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

from querygist.errors import ConfigurationError
from training.data.examples import Example
from training.generate.generator import GREEDY, Generated, Sampling

GROUP = 8
"""Rounds of requests that are sent before the first of them is given."""


class ConcurrentGenerator(ABC):
    """`concurrency` requests at a time. One measures latency; more of them only generate faster. For one thread."""

    def __init__(self, name: str, concurrency: int) -> None:
        self.name = name
        self._concurrency = concurrency
        self._runner = asyncio.Runner()

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. Raises ConfigurationError when asked for anything but greedy summaries."""
        if sampling.count != 1 or sampling.temperature:
            raise ConfigurationError(
                f"{self.name} gives one greedy summary, not {sampling.count} at temperature {sampling.temperature:g}. "
                "Use another engine, or temperature 0."
            )
        group = GROUP * self._concurrency if self._concurrency > 1 else 1
        for start in range(0, len(examples), group):
            yield from ([one] for one in self._runner.run(self._several(examples[start : start + group])))

    def close(self) -> None:
        """End what is asked, or the connections to it."""
        with self._runner as runner:
            runner.run(self._end())

    async def _several(self, examples: Sequence[Example]) -> list[Generated]:
        places = asyncio.Semaphore(self._concurrency)

        async def one(example: Example) -> Generated:
            async with places:
                began = time.perf_counter()
                found, is_new = await self._one(example)
                seconds = time.perf_counter() - began
                return replace(found, seconds=seconds) if is_new and self._concurrency == 1 else found

        return await asyncio.gather(*map(one, examples))

    @abstractmethod
    async def _one(self, example: Example) -> tuple[Generated, bool]:
        """Return the summary without its time, and whether it was made for this request."""

    @abstractmethod
    async def _end(self) -> None:
        """See `close`."""
