"""The service's own engine, in its own process: what is measured with it is what a user of the service gets."""

import uuid

from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.local import until_loaded
from querygist.pipeline import generation
from querygist.settings import Settings
from training.data.examples import Example, prompt_ids
from training.generate.concurrent import ConcurrentGenerator
from training.generate.generator import Generated

PATIENCE_SECONDS = 300.0
"""How long one summary may take: it waits for those before it."""


class EmbeddedGenerator(ConcurrentGenerator):
    """Greedy summaries from the engine that `settings` describe. Builds the model if need be."""

    def __init__(self, settings: Settings, *, name: str, concurrency: int = 1) -> None:
        """Load the model; takes seconds. Raises ArtifactError and EngineUnavailable."""
        super().__init__(name, concurrency)
        self._engine, self._tokenizer = create_engine(settings)
        try:
            self._runner.run(self._start())
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        await self._engine.start()
        await until_loaded(self._engine)

    async def _one(self, example: Example) -> tuple[Generated, bool]:
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
        return Generated.of(completion, passes=completion.passes), True

    async def _end(self) -> None:
        await self._engine.close()
