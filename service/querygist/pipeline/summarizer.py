"""The use case: one query, one document, one summary. `Summarizer._compute` is the way of a request."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from querygist.deadline import Deadline
from querygist.engines.base import TRACE_HEADERS, Engine
from querygist.errors import ServiceError, UnprocessableText
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.answers import extracted, generated
from querygist.pipeline.attribution import ground
from querygist.pipeline.cache import Flight, SummaryCache, cache_key
from querygist.pipeline.job import Job
from querygist.pipeline.summary import Summary
from querygist.prompting.detokenizer import Assembler
from querygist.prompting.prompt_builder import fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.schemas import Answer, DocumentFields
from querygist.text.cleaning import clean_document, clean_query, clean_title
from querygist.text.passages import Snippet, snippet
from querygist.tracing import Span, Traces

T = TypeVar("T")

_LONG_TEXTS = ThreadPoolExecutor(1, thread_name_prefix="long-texts")

OFFLOAD_CHARACTERS = 8_000
"""Longer texts are worked on in a thread: milliseconds of regular expressions would hold up every other request."""

FALLBACK_SECONDS, FALLBACK_SECONDS_PER_CHARACTER = 0.015, 1.5e-6
"""Kept in reserve before a deadline, so that the extractive answer still arrives in time (0.2 s for 200,000
characters, measured on one core)."""

TOKENS_PER_WORD = 1.6
"""How many output tokens a word may take before the model is cut off; the bound on words itself is exact."""


class Summarizer:
    """Everything between a parsed request and its answer. For one event loop."""

    def __init__(
        self,
        *,
        engine: Engine,
        tokenizer: Tokenizer,
        cache: SummaryCache,
        admission: Admission,
        metrics: Metrics,
        traces: Traces,
        max_query_tokens: int,
        max_deadline_seconds: float,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._cache = cache
        self._admission = admission
        self._metrics = metrics
        self._traces = traces
        self._max_query_tokens = max_query_tokens
        self._max_deadline_seconds = max_deadline_seconds

    async def answer(self, query: str, fields: DocumentFields, deadline: Deadline) -> Answer:
        """The whole answer. Raises UnprocessableText; ServiceError only where `fields.fallback` is "none"."""
        with self._traces.part("summarize") as span, self._metrics.count_request(span) as counted:
            job = await self._prepare(query, fields, deadline, span)
            try:
                return counted(await self._whole(job))
            except ServiceError as error:
                return counted(await self._fall_back(job, error))

    async def stream(
        self, query: str, fields: DocumentFields, deadline: Deadline
    ) -> AsyncGenerator[str | Answer, None]:
        """Pieces of the summary as they are written, then the whole answer.

        Raises as `answer`, and after the first piece any ServiceError: what was sent cannot become an extract.
        """
        with self._traces.part("summarize") as span, self._metrics.count_request(span) as counted:
            job = await self._prepare(query, fields, deadline, span)
            sent = False
            try:
                async with contextlib.aclosing(self._events(job)) as events:
                    async for event in events:
                        yield counted(event) if isinstance(event, Answer) else event
                        sent = True
            except ServiceError as error:
                if sent:
                    raise
                answer = counted(await self._fall_back(job, error))
                if answer.summary:
                    yield answer.summary
                yield answer

    async def _prepare(self, query: str, fields: DocumentFields, deadline: Deadline, span: Span) -> Job:
        started = time.monotonic()
        clean = clean_query(query)
        tokens = len(self._tokenizer.encode(clean))
        if tokens > self._max_query_tokens:
            raise UnprocessableText(
                f"The query is {tokens} tokens long; the model reads at most {self._max_query_tokens}. Shorten it."
            )
        document = await _off_loop(
            fields.document, lambda: clean_document(fields.document, content_type=fields.content_type)
        )
        return Job(
            id=uuid.uuid4().hex,
            started=started,
            deadline=deadline.earlier(_reserve(document.text) if fields.fallback == "extractive" else 0),
            query=clean,
            document=document,
            title=clean_title(fields.title) if fields.title else None,
            fields=fields,
            span=span,
        )

    async def _whole(self, job: Job) -> Answer:
        """The answer, from memory or from the flight that computes it."""
        key = self._key(job)
        if (known := self._cache.get(key)) is not None:
            return generated(job, known, self._engine.identity, flight=None)
        async with self._cache.follow(key, job.deadline, lambda flight: self._compute(job, flight)) as flight:
            summary = await flight.result(job.deadline)
            return generated(job, summary, self._engine.identity, flight=flight)

    async def _events(self, job: Job) -> AsyncGenerator[str | Answer, None]:
        """Pieces of the summary as they come, then the answer."""
        key = self._key(job)
        if (known := self._cache.get(key)) is not None:
            if known.text:
                yield known.text
            yield generated(job, known, self._engine.identity, flight=None)
            return
        async with self._cache.follow(key, job.deadline, lambda flight: self._compute(job, flight)) as flight:
            async for piece in flight.text(job.deadline):
                yield piece
            summary = await flight.result(job.deadline)
            yield generated(job, summary, self._engine.identity, flight=flight)

    def _key(self, job: Job) -> bytes:
        return cache_key(
            self._engine.identity,
            query=job.query,
            document=job.document.source,
            title=job.title,
            content_type=job.fields.content_type,
            max_words=job.fields.max_words,
        )

    async def _compute(self, job: Job, flight: Flight) -> Summary:
        """One generation: admission, passages and prompt, engine, streaming, grounding. A task of its own."""
        identity, max_words = self._engine.identity, job.fields.max_words
        max_new_tokens = token_limit(max_words, identity.output_limit)
        prompt_tokens = min(identity.prompt_limit, len(job.document.text) // 4 + 128)  # so many are expected

        async with contextlib.AsyncExitStack() as places:
            with self._traces.part("queue", job.span):
                entering = self._admission.enter(prompt_tokens, max_new_tokens, lambda: flight.deadline)
                place = await places.enter_async_context(entering)
                flight.queue_seconds = place.waited
            window = await _off_loop(
                job.document.text,
                lambda: fit(
                    self._tokenizer,
                    prompt_version=identity.prompt_version,
                    prompt_limit=identity.prompt_limit,
                    query=job.query,
                    title=job.title,
                    document=job.document.text,
                    max_words=max_words,
                ),
            )
            generation = self._metrics.count_generation(job.started, flight.queue_seconds, len(window.ids))
            assembler = Assembler.answering(identity.prompt_version, self._tokenizer, max_words=max_words)
            with self._traces.part("generate", job.span) as span:
                TRACE_HEADERS.set(span.headers)
                # Followers watch their own deadlines and cancel this by leaving; the engine gets the longest there is.
                chunks = self._engine.generate(
                    window.ids,
                    max_new_tokens=max_new_tokens,
                    deadline=Deadline.after(self._max_deadline_seconds),
                    request_id=job.id,
                )
                async with contextlib.aclosing(chunks):
                    async for chunk in chunks:
                        if chunk.ids and not generation.tokens:
                            span.lap("prefill")
                        generation.observe(chunk)
                        if piece := assembler.push(chunk.ids):
                            flight.publish(piece)
                            place.began = flight.first_text_at
                        if assembler.full:
                            break
                span.set("prompt_tokens", len(window.ids))
                span.set("completion_tokens", generation.tokens)

        final = assembler.finish("stop" if generation.finished == "stop" else "length")
        if final.tail:
            flight.publish(final.tail)
        grounding = await _off_loop(job.document.text, lambda: ground(final.text, job.document))
        return Summary(
            text=final.text,
            answerable=final.answerable,
            sources=grounding.sources,
            copied=grounding.copied,
            prompt_tokens=len(window.ids),
            completion_tokens=generation.tokens,
            truncated=window.truncated,
        )

    async def _fall_back(self, job: Job, error: ServiceError) -> Answer:
        """The extractive answer, where the caller allows it; else the error itself."""
        if job.fields.fallback == "none":
            raise error
        self._metrics.fallbacks.labels(error.reason).inc()

        def extract() -> tuple[Snippet, float]:
            found = snippet(job.document.text, job.query, max_words=job.fields.max_words)
            return found, ground(found.text, job.document).copied

        return extracted(job, *await _off_loop(job.document.text, extract), self._engine.identity)


def token_limit(max_words: int, output_limit: int) -> int:
    """How many tokens the model may write for a summary of `max_words`."""
    return min(output_limit, round(max_words * TOKENS_PER_WORD) + 16)


def _reserve(text: str) -> float:
    return FALLBACK_SECONDS + FALLBACK_SECONDS_PER_CHARACTER * len(text)


async def _off_loop(text: str, work: Callable[[], T]) -> T:
    """Do `work` on `text` here when it is short, in the one thread for this when it is long.

    One, because threads would only fight for the GIL, and work whose request has left before its turn is dropped.
    """
    if len(text) <= OFFLOAD_CHARACTERS:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_LONG_TEXTS, work)
