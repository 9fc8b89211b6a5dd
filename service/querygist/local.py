"""The service without its server: one summary on the command line."""

import asyncio

from querygist.api.app import create_app
from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.engines.base import Engine
from querygist.errors import EngineUnavailable
from querygist.schemas import Answer, SummarizeRequest
from querygist.settings import Settings

LOAD_SECONDS = 120.0
POLL_SECONDS = 0.05


async def summarize_once(settings: Settings, request: SummarizeRequest) -> Answer:
    """Load the engine, summarize, stop it. Raises what `Summarizer.answer` raises, and EngineUnavailable."""
    engine, tokenizer = create_engine(settings)
    app = create_app(settings, engine, tokenizer)
    async with app.router.lifespan_context(app):
        await until_loaded(engine)
        deadline = Deadline.after(settings.max_deadline_ms / 1000)
        answer: Answer = await app.state.gateway.summarizer.answer(request.query, request, deadline)
        return answer


async def until_loaded(engine: Engine) -> None:
    """Wait until a started engine answers. Raises EngineUnavailable when it does not within LOAD_SECONDS."""
    given_up = Deadline.after(LOAD_SECONDS)
    while True:
        try:
            await engine.ready()
            return
        except EngineUnavailable:
            if given_up.remaining() < 0:
                raise
            await asyncio.sleep(POLL_SECONDS)
