"""The service without its server: one summary on the command line."""

import asyncio
import time

from opentelemetry.trace import INVALID_SPAN

from querygist.api.app import create_app
from querygist.artifact.manifest import Manifest
from querygist.deadline import Deadline
from querygist.engine_factory import create_engine, create_reader
from querygist.engines.base import Engine
from querygist.errors import EngineUnavailable
from querygist.metrics import Metrics
from querygist.pipeline.answers import answer_of, quoted
from querygist.pipeline.choice import Chooser
from querygist.pipeline.fair_queue import Caller
from querygist.pipeline.job import Job
from querygist.pipeline.text_work import TextWork
from querygist.reader.reader import Reader
from querygist.schemas import Answer, SummarizeRequest
from querygist.settings import Settings

LOAD_SECONDS = 120.0
POLL_SECONDS = 0.05


async def summarize_once(settings: Settings, request: SummarizeRequest) -> Answer:
    """Load the models, summarize, stop them. Raises what `Summarizer.answer` raises, and EngineUnavailable."""
    (engine, tokenizer), reader = create_engine(settings), create_reader(settings)
    app = create_app(settings, engine, tokenizer, reader)
    async with app.router.lifespan_context(app):
        await until_loaded(engine, reader)
        deadline = Deadline.after(settings.max_deadline_ms / 1000)
        answer: Answer = await app.state.gateway.summarizer.answer(request.query, request, deadline, Caller())
        return answer


async def quote_once(settings: Settings, request: SummarizeRequest) -> Answer:
    """Quote the document: the answer of `style` "quote", for which no engine is built or loaded.

    Raises UnprocessableText, and ArtifactError for weights whose manifest does not name what the answer says.
    """
    identity = Manifest.load(settings.weights_dir).identity(settings.precision)
    deadline = Deadline.after(settings.max_deadline_ms / 1000)
    job = Job.of(request.query, request, Caller(), started=time.monotonic(), span=INVALID_SPAN)
    reader = create_reader(settings)
    metrics = Metrics()
    chooser = Chooser(reader, metrics, TextWork(metrics, max_waiting=1), max_waiting=1)
    if reader is None:
        choice = await chooser.choose(job, lambda: deadline)
    else:
        await reader.start()
        try:
            await reader.ready(LOAD_SECONDS)
            choice = await chooser.choose(job, lambda: deadline)
        finally:
            await reader.close()
    return answer_of(job, quoted(job, choice, "asked"), identity, None)


async def until_loaded(engine: Engine, reader: Reader | None = None) -> None:
    """Wait until a started engine, and a started reader, answer.

    Raises EngineUnavailable or ReaderUnavailable when one does not within LOAD_SECONDS.
    """
    given_up = Deadline.after(LOAD_SECONDS)
    if reader is not None:
        await reader.ready(LOAD_SECONDS)
    while True:
        try:
            await engine.ready()
            return
        except EngineUnavailable:
            if given_up.remaining() < 0:
                raise
            await asyncio.sleep(POLL_SECONDS)
