"""The use case: one query, one document, one summary.

The way of a request: `answer` drains `stream`; `stream` follows the flight that the cache hands out; the flight runs
`_compute`: the choice, and for a written summary admission, prompt, generation and the checker.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from opentelemetry.trace import Tracer

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, Engine
from querygist.errors import ServiceError, UnprocessableText
from querygist.metrics import CHECKER, Metrics
from querygist.pipeline import generation
from querygist.pipeline.admission import Admission, Place
from querygist.pipeline.answers import REASONS, answer_of, quoted, written
from querygist.pipeline.cache import Flight, SummaryCache, cache_key
from querygist.pipeline.checker import Checker
from querygist.pipeline.choice import Choice, Chooser, choose_by_words
from querygist.pipeline.fair_queue import Caller
from querygist.pipeline.generation import Completion, token_limit
from querygist.pipeline.job import Job
from querygist.pipeline.summary import Reason, Summary
from querygist.pipeline.text_work import OFFLOAD_CHARACTERS, TextWork
from querygist.prompting.prompt_builder import Window, fit
from querygist.prompting.templates import VERSIONS, label_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.schemas import Answer, DocumentFields
from querygist.tracing import add_child_span, child_span, trace_headers

T = TypeVar("T")

Clean = Callable[[DocumentFields], Job]

_LABEL_TOKENS = 3  # in which the label of the first sentence has come

FALLBACK_SECONDS, FALLBACK_SECONDS_PER_CHARACTER = 0.015, 1.5e-6
"""Kept in reserve before a deadline, so that the extractive answer still arrives in time (0.2 s for 200,000
characters, measured on one core)."""


class Summarizer:
    """Everything between a parsed request and its answer. For one event loop."""

    def __init__(
        self,
        *,
        engine: Engine,
        tokenizer: Tokenizer,
        texts: TextWork,
        chooser: Chooser,
        cache: SummaryCache,
        admission: Admission,
        metrics: Metrics,
        tracer: Tracer,
        max_deadline_seconds: float,
        cache_scope: Callable[[Job], str],
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._texts = texts
        self._chooser = chooser
        self._cache = cache
        self._cache_scope = cache_scope
        self._admission = admission
        self._metrics = metrics
        self._tracer = tracer
        self._max_deadline_seconds = max_deadline_seconds

    @property
    def places(self) -> int:
        """Number of requests that may be in the engine at once now; with Triton it grows with the servers."""
        return self._admission.places

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
                async with self._cache.flight(self._key(job), own, partial(self._compute, job)) as flight:
                    async for piece in flight.text(own):
                        yield piece
                        sent = sends_pieces
                    summary = await flight.result(own)
                    yield counted(answer_of(job, summary, self._engine.identity, flight))
            except ServiceError as error:
                if sent or fields.fallback == "none":
                    raise
                self._metrics.fallbacks.labels(error.reason).inc()
                choice = flight.choice if flight else None
                job, summary = await self._fall_back(error, deadline, clean, fields, job, choice)
                if summary.text:
                    yield summary.text
                yield counted(answer_of(job, summary, self._engine.identity, None))

    async def _fall_back(
        self,
        error: ServiceError,
        deadline: Deadline,
        clean: Clean,
        fields: DocumentFields,
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
        beginning = fields.model_copy(update={"document": fields.document[:OFFLOAD_CHARACTERS]})
        try:
            job = await self._texts.run_here(partial(clean, beginning))
        except UnprocessableText:
            raise error from None
        summary = await self._texts.run_here(partial(_quote, job, None, reason))
        if not summary.answerable:
            raise error
        return job, replace(summary, truncated=True)

    def _key(self, job: Job) -> bytes:
        return cache_key(
            self._engine.identity,
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
        identity, writes = self._engine.identity, job.fields.style == "write"
        expected_prompt = min(identity.prompt_limit, job.size // 4 + 128)  # tokens
        cost = expected_prompt + token_limit(job.fields.max_words, identity.output_limit)
        if writes and not self._engine.status().servers:  # the reader would take the engine's time
            self._admission.check(cost, flight.deadline, job.caller, to_begin=expected_prompt)
        choice = flight.choice = await self._chooser.choose(job, lambda: flight.deadline)
        if not writes:
            return await self._publish_quote(job, flight, choice, "asked")
        if not choice.quote.answerable:
            return written(job, choice, "", ())
        async with contextlib.AsyncExitStack() as places:
            with child_span(self._tracer, "queue", job.span):
                entering = self._admission.enter(cost, lambda: flight.deadline, job.caller, to_begin=expected_prompt)
                place = await places.enter_async_context(entering)
                flight.queue_seconds = place.waited
            prompt, checker = await self._on_text(job, flight, partial(self._prompt, job, choice))
            tokens = await self._generate(job, flight, place, prompt, checker)

        if piece := checker.finish():
            flight.publish(piece)
        if checker.passed:
            summary = await self._on_text(job, flight, partial(written, job, choice, checker.text, checker.segments))
        else:
            self._metrics.fallbacks.labels(CHECKER).inc()
            summary = await self._publish_quote(job, flight, choice, "checker")
        return replace(
            summary,
            prompt_tokens=len(prompt.ids),
            completion_tokens=tokens,
            truncated=prompt.truncated,
        )

    async def _publish_quote(self, job: Job, flight: Flight, choice: Choice, reason: Reason) -> Summary:
        summary = await self._on_text(job, flight, partial(quoted, job, choice, reason))
        if summary.text:
            flight.publish(summary.text)
        return summary

    async def _on_text(self, job: Job, flight: Flight, work: Callable[[], T]) -> T:
        return await self._texts.run(job.size, work, job.caller, lambda: flight.deadline)

    def _prompt(self, job: Job, choice: Choice) -> tuple[Window, Checker]:
        identity, max_words = self._engine.identity, job.fields.max_words
        prompt = fit(
            self._tokenizer,
            choice.ranking,
            prompt_version=identity.prompt_version,
            prompt_limit=identity.prompt_limit,
            query=job.query,
            title=job.title,
            max_words=max_words,
        )
        own_words = not VERSIONS[identity.prompt_version].labelled
        checker = Checker(choice, job.alignment, max_words=max_words, keeps_own_words=own_words)
        return prompt, checker

    async def _generate(self, job: Job, flight: Flight, place: Place, prompt: Window, checker: Checker) -> int:
        """Have the engine write, and publish what the checker lets pass; return how many tokens it wrote."""
        counts = self._metrics.count_generation(job.started, flight.queue_seconds, len(prompt.ids))
        with child_span(self._tracer, "generate", job.span) as span:
            places = {sentence.letter: sentence.place for sentence in prompt.marked.sentences}
            beginning: list[int] = []

            def publish(text: str) -> None:
                if text:
                    flight.publish(text)
                    place.began = flight.first_text_at

            def observe(chunk: Chunk) -> None:
                if chunk.ids and not counts.tokens:
                    add_child_span(self._tracer, "prefill", span)
                counts.observe(chunk)
                if len(beginning) < _LABEL_TOKENS:
                    beginning.extend(chunk.ids)
                    letter = label_of(self._engine.identity.prompt_version, self._tokenizer, beginning)
                    publish(checker.open(places[letter]) if letter in places else "")

            pieces = generation.generate(
                self._engine,
                self._tokenizer,
                prompt.ids,
                max_words=job.fields.max_words,
                deadline=Deadline.after(self._max_deadline_seconds),
                request_id=job.id,
                trace_headers=trace_headers(self._tracer, span),
                observe=observe,
            )
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    publish(checker.push(piece.tail if isinstance(piece, Completion) else piece))
                    if checker.complete:
                        break
            span.set_attributes(
                {"querygist.prompt_tokens": len(prompt.ids), "querygist.completion_tokens": counts.tokens}
            )
        return counts.tokens


def _reserve(job: Job) -> float:
    return FALLBACK_SECONDS + FALLBACK_SECONDS_PER_CHARACTER * job.size


def _quote(job: Job, choice: Choice | None, reason: Reason) -> Summary:
    return quoted(job, choice or choose_by_words(job), reason)
