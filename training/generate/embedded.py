"""The service's own engine, in its own process: what is measured with it is what a user of the service gets."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.errors import ConfigurationError, EngineUnavailable
from querygist.pipeline.summarizer import token_limit
from querygist.prompting.detokenizer import Assembler
from querygist.settings import Settings
from training.data.example_io import Example, prompt_ids
from training.generate.generator import GREEDY, Generated, Sampling

LOAD_SECONDS = 120.0
PATIENCE_SECONDS = 300.0
"""How long one summary may take: it waits for those before it."""


class EmbeddedGenerator:
    """Greedy summaries from the engine that `chosen` describes; `in_flight` at once. Builds the model if need be.

    One in flight measures latency; more of them only write faster. For one thread.
    """

    def __init__(self, chosen: Settings, *, name: str, in_flight: int = 1) -> None:
        """Load the model; takes seconds. Raises ArtifactError and EngineUnavailable."""
        self.name = name
        self._in_flight = in_flight
        self._runner = asyncio.Runner()
        self._engine, self._tokenizer = create_engine(chosen)
        try:
            self._runner.run(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine's process."""
        with self._runner as runner:
            runner.run(self._engine.close())

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. Raises ConfigurationError when asked for anything but greedy summaries."""
        if sampling.count != 1 or sampling.temperature:
            raise ConfigurationError(
                f"The embedded engine writes one greedy summary, not {sampling.count} at temperature "
                f"{sampling.temperature:g}. Use the sampling generator for these."
            )
        group = 8 * self._in_flight if self._in_flight > 1 else 1
        for start in range(0, len(examples), group):
            yield from ([one] for one in self._runner.run(self._some(examples[start : start + group])))

    async def _start(self) -> None:
        await self._engine.start()
        async with asyncio.timeout(LOAD_SECONDS):
            while True:
                try:
                    return await self._engine.ready()
                except EngineUnavailable:
                    await asyncio.sleep(0.2)  # loading; the engine has no event for it

    async def _some(self, examples: Sequence[Example]) -> list[Generated]:
        places = asyncio.Semaphore(self._in_flight)

        async def one(example: Example) -> Generated:
            async with places:
                return await self._one(example)

        return await asyncio.gather(*map(one, examples))

    async def _one(self, example: Example) -> Generated:
        """As `querygist.pipeline.summarizer.Summarizer._compute`, without its queue, cache and stream."""
        began, identity = time.perf_counter(), self._engine.identity
        prompt = prompt_ids(example, self._tokenizer, identity)
        assembler = Assembler.answering(identity.prompt_version, self._tokenizer, max_words=example.max_words)
        tokens = passes = 0
        finished = None
        chunks = self._engine.generate(
            prompt,
            max_new_tokens=token_limit(example.max_words, identity.output_limit),
            deadline=Deadline.after(PATIENCE_SECONDS),
            request_id=uuid.uuid4().hex,
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                passes += 1
                tokens += len(chunk.ids)
                finished = chunk.finished
                assembler.push(chunk.ids)
                if assembler.full:
                    break
        final = assembler.finish("stop" if finished == "stop" else "length")
        return Generated(
            final.text,
            final.answerable,
            tokens=tokens + (finished == "stop"),
            passes=passes,
            seconds=time.perf_counter() - began if self._in_flight == 1 else None,
        )
