"""The whole service, in this process: what its users get, the reader and the checker included."""

from contextlib import AsyncExitStack

from querygist.api.app import create_app
from querygist.deadline import Deadline
from querygist.engine_factory import create_engine, create_reader
from querygist.local import until_loaded
from querygist.pipeline.fair_queue import Caller
from querygist.schemas import Style, SummarizeRequest
from querygist.settings import Settings
from training.data.examples import Example
from training.generate.concurrent import ConcurrentGenerator
from training.generate.generator import Generated

PATIENCE_SECONDS = 300.0
"""How long one answer may take: it waits for those before it."""


class ServiceGenerator(ConcurrentGenerator):
    """Answers in one style of the service that `settings` describe."""

    def __init__(self, settings: Settings, *, name: str, style: Style, concurrency: int = 1) -> None:
        """Load the models; takes seconds. Raises ArtifactError, EngineUnavailable and ReaderUnavailable."""
        super().__init__(name, concurrency)
        self._style = style
        self._engine, tokenizer = create_engine(settings)
        self._reader = create_reader(settings)
        self._app = create_app(settings, self._engine, tokenizer, self._reader)
        self._running = AsyncExitStack()
        try:
            self._runner.run(self._start())
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        await self._running.enter_async_context(self._app.router.lifespan_context(self._app))
        await until_loaded(self._engine, self._reader)

    async def _one(self, example: Example) -> tuple[Generated, bool]:
        request = SummarizeRequest(
            query=example.query,
            document=example.document,
            max_words=example.max_words,
            style=self._style,
            fallback="none",
        )
        deadline = Deadline.after(PATIENCE_SECONDS)
        answer = await self._app.state.gateway.summarizer.answer(request.query, request, deadline, Caller())
        return Generated(answer.summary, answer.answerable, answer.usage.completion_tokens), not answer.cached

    async def _end(self) -> None:
        await self._running.aclose()
