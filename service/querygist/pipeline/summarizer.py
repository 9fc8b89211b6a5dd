"""The use case: one query, one document, one summary.

The way of a request: `answer` drains `stream`; `stream` follows the flight that the cache hands out; the flight runs
`_compute`: the choice, and for a written summary the writer and its checker.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from opentelemetry.trace import Tracer

from querygist.deadline import Deadline, within
from querygist.engines.base import Identity
from querygist.errors import ServiceError, UnprocessableText
from querygist.metrics import CHECKER, Metrics
from querygist.pipeline.answers import REASONS, answer_of, quoted, written
from querygist.pipeline.cache import Flight, SummaryCache, cache_key
from querygist.pipeline.choice import Choice, Chooser, choose_by_words
from querygist.pipeline.fair_queue import Caller
from querygist.pipeline.job import Job
from querygist.pipeline.summary import Reason, Summary
from querygist.pipeline.text_work import LONG_CHARACTERS, TextWork
from querygist.pipeline.writer import Writer
from querygist.schemas import Answer, DocumentFields
from querygist.tracing import child_span

T = TypeVar("T")

Clean = Callable[[DocumentFields], Job]

FALLBACK_SECONDS, FALLBACK_SECONDS_PER_CHARACTER = 0.015, 1.5e-6
"""Kept in reserve before a deadline, so that the extractive answer still arrives in time (0.2 s for 200,000
characters, measured on one core)."""

GRACE_SECONDS = 0.1
"""Beyond the deadline, time to quote the beginning of a document that could not be read: many may be late at once."""


class Summarizer:
    """Everything between a parsed request and its answer. For one event loop."""

    def __init__(
        self,
        *,
        identity: Identity,
        texts: TextWork,
        chooser: Chooser,
        writer: Writer,
        cache: SummaryCache,
        cache_scope: Callable[[Job], str],
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        """`identity` of the model; `cache_scope` of a job: among whom its summary is shared."""
        self._identity = identity
        self._texts = texts
        self._chooser = chooser
        self._writer = writer
        self._cache = cache
        self._cache_scope = cache_scope
        self._metrics = metrics
        self._tracer = tracer

    @property
    def places(self) -> int:
        """Number of requests that may be in the engine at once now; with Triton it grows with the servers."""
        return self._writer.places

    async def answer(self, query: str, fields: DocumentFields, deadline: Deadline, caller: Caller) -> Answer:
        """Return the whole answer: the stream, drained.

        Raises UnprocessableText; ServiceError only where `fields.fallback` is "none", or where there is no time even to
        quote the beginning of a long document.
        """
        events = [event async for event in self.stream(query, fields, deadline, caller, sends_pieces=False)]
        return cast(Answer, events[-1])

    async def stream(
        self, query: str, fields: DocumentFields, deadline: Deadline, caller: Caller, *, sends_pieces: bool = True
    ) -> AsyncGenerator[str | Answer, None]:
        """Yield pieces of the summary as they are written, then the whole answer.

        Raises as `answer`; where the caller `sends_pieces`, after the first one any ServiceError as well: what was sent
        cannot become an extract.
        """
        with child_span(self._tracer, "summarize") as span, self._metrics.count_request(span) as counted:
            clean = partial(Job.of, query, caller=caller, started=time.monotonic(), span=span)
            sent, job, flight = False, None, None
            try:
                soon = deadline.earlier(FALLBACK_SECONDS)
                job = await self._texts.run_by(soon, len(fields.document), partial(clean, fields), caller)
                own = deadline.earlier(_reserve(job)) if fields.fallback == "extractive" else deadline
                flying = self._cache.flight(
                    self._key(job), own, partial(self._compute, job), interactive=caller.interactive
                )
                async with flying as flight:
                    async for piece in flight.text(own):
                        yield piece
                        sent = sends_pieces
                    summary = await flight.result(own)
                    yield counted(answer_of(job, summary, self._identity, flight))
            except ServiceError as error:
                if sent or fields.fallback == "none":
                    raise
                choice = flight.choice if flight else None
                job, summary = await self._fall_back(error, deadline, clean, fields, caller, job, choice)
                self._metrics.fallbacks.labels(error.reason).inc()
                if summary.text:
                    yield summary.text
                yield counted(answer_of(job, summary, self._identity, None))

    async def _fall_back(
        self,
        error: ServiceError,
        deadline: Deadline,
        clean: Clean,
        fields: DocumentFields,
        caller: Caller,
        job: Job | None,
        choice: Choice | None,
    ) -> tuple[Job, Summary]:
        """Quote the document, or of one that is too long to be read in time the beginning.

        Raises `error` where nothing there answers: that the page does not would be a claim about what nobody has read.
        """
        reason = REASONS[error.reason]
        if job is not None:
            quote = partial(_quote, job, choice, reason)
            with contextlib.suppress(ServiceError):
                return job, await self._texts.run_by(deadline.earlier(FALLBACK_SECONDS), job.size, quote, job.caller)
        if deadline.remaining() < 0:
            raise error
        beginning = fields.model_copy(update={"document": fields.document[:LONG_CHARACTERS]})
        quoting = self._texts.run_short(LONG_CHARACTERS, partial(_clean_and_quote, clean, beginning, reason), caller)
        try:
            cut, summary = await within(deadline.remaining() + GRACE_SECONDS, "document was quoted", quoting)
        except (UnprocessableText, ServiceError):
            raise error from None
        if not summary.answerable:
            raise error
        return cut, replace(summary, truncated=True)

    def _key(self, job: Job) -> bytes:
        return cache_key(
            self._identity,
            reader=self._chooser.identity,
            query=job.query,
            document=job.document.source,
            title=job.title,
            content_type=job.fields.content_type,
            max_words=job.fields.max_words,
            style=job.fields.style,
            scope=self._cache_scope(job),
        )

    async def _compute(self, job: Job, flight: Flight) -> Summary:
        """Choose what answers, and unless the quote is all that is asked for or nothing answers, write. A task of its
        own.
        """
        writes = job.fields.style == "write"
        if writes:
            self._writer.check(job, flight.deadline)
        choice = flight.choice = await self._chooser.choose(job, lambda: flight.deadline)
        if not writes:
            return await self._publish_quote(job, flight, choice, "asked")
        if not choice.quote.answerable:
            return written(job, choice, "", ())
        prompt, checker = await self._on_text(job, flight, partial(self._writer.prompt, job, choice))
        tokens = await self._writer.write(job, flight, prompt, checker)
        if checker.passed:
            summary = await self._on_text(job, flight, partial(written, job, choice, checker.text, checker.segments))
        else:
            self._metrics.fallbacks.labels(CHECKER).inc()
            summary = await self._publish_quote(job, flight, choice, "checker")
        return replace(summary, prompt_tokens=len(prompt.ids), completion_tokens=tokens, truncated=prompt.truncated)

    async def _publish_quote(self, job: Job, flight: Flight, choice: Choice, reason: Reason) -> Summary:
        summary = await self._on_text(job, flight, partial(quoted, job, choice, reason))
        if summary.text:
            flight.publish(summary.text)
        return summary

    async def _on_text(self, job: Job, flight: Flight, work: Callable[[], T]) -> T:
        return await self._texts.run(job.size, work, job.caller, lambda: flight.deadline)


def _reserve(job: Job) -> float:
    return FALLBACK_SECONDS + FALLBACK_SECONDS_PER_CHARACTER * job.size


def _quote(job: Job, choice: Choice | None, reason: Reason) -> Summary:
    return quoted(job, choice or choose_by_words(job), reason)


def _clean_and_quote(clean: Clean, fields: DocumentFields, reason: Reason) -> tuple[Job, Summary]:
    job = clean(fields)
    return job, _quote(job, None, reason)
