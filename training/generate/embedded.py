"""The service's own engine, in its own process: what is measured with it is what a user of the service gets."""

import asyncio
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Self

from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.errors import ConfigurationError, EngineUnavailable
from querygist.pipeline import generation
from querygist.settings import Settings
from training.data.examples import Example, prompt_ids
from training.generate.generator import GREEDY, Generated, Sampling

LOAD_SECONDS = 120.0
PATIENCE_SECONDS = 300.0
"""How long one summary may take: it waits for those before it."""


class EmbeddedGenerator:
    """Greedy summaries from the engine that `settings` describe; `in_flight` at once. Builds the model if need be.

    One in flight measures latency; more of them only generate faster. For one thread.
    """

    def __init__(self, settings: Settings, *, name: str, in_flight: int = 1) -> None:
        """Load the model; takes seconds. Raises ArtifactError and EngineUnavailable."""
        self.name = name
        self._in_flight = in_flight
        self._runner = asyncio.Runner()
        self._engine, self._tokenizer = create_engine(settings)
        try:
            self._runner.run(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine's process."""
        with self._runner as runner:
            runner.run(self._engine.close())

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. Raises ConfigurationError when asked for anything but greedy summaries."""
        if sampling.count != 1 or sampling.temperature:
            raise ConfigurationError(
                f"The embedded engine gives one greedy summary, not {sampling.count} at temperature "
                f"{sampling.temperature:g}. Use the OpenVINO sampler for these."
            )
        group = 8 * self._in_flight if self._in_flight > 1 else 1
        for start in range(0, len(examples), group):
            yield from ([one] for one in self._runner.run(self._several(examples[start : start + group])))

    async def _start(self) -> None:
        await self._engine.start()
        async with asyncio.timeout(LOAD_SECONDS):
            while True:
                try:
                    return await self._engine.ready()
                except EngineUnavailable:
                    await asyncio.sleep(0.2)  # loading; the engine has no event for it

    async def _several(self, examples: Sequence[Example]) -> list[Generated]:
        places = asyncio.Semaphore(self._in_flight)

        async def one(example: Example) -> Generated:
            async with places:
                return await self._one(example)

        return await asyncio.gather(*map(one, examples))

    async def _one(self, example: Example) -> Generated:
        began = time.perf_counter()
        pieces = generation.generate(
            self._engine,
            self._tokenizer,
            prompt_ids(example, self._tokenizer, self._engine.identity),
            max_words=example.max_words,
            deadline=Deadline.after(PATIENCE_SECONDS),
            request_id=uuid.uuid4().hex,
        )
        *_, completion = [piece async for piece in pieces]
        assert isinstance(completion, generation.Completion)  # noqa: S101  the last piece is
        seconds = time.perf_counter() - began if self._in_flight == 1 else None
        return Generated.of(completion, passes=completion.passes, seconds=seconds)
