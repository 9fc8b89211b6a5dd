"""A written summary: prompt, a place in the engine, generation, and the checker of what is generated."""

import contextlib

from opentelemetry.trace import Tracer

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, Engine
from querygist.metrics import Metrics
from querygist.pipeline import generation
from querygist.pipeline.admission import Admission, Place
from querygist.pipeline.cache import Flight
from querygist.pipeline.checker import Checker
from querygist.pipeline.choice import Choice
from querygist.pipeline.generation import Completion, token_limit
from querygist.pipeline.job import Job
from querygist.prompting.prompt_builder import Window, fit
from querygist.prompting.templates import VERSIONS, label_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.tracing import add_child_span, child_span, trace_headers

_LABEL_TOKENS = 3  # in which the label of the first sentence has come


class Writer:
    """The engine, and the queue before it. For one event loop."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        admission: Admission,
        *,
        metrics: Metrics,
        tracer: Tracer,
        max_deadline_seconds: float,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._admission = admission
        self._metrics = metrics
        self._tracer = tracer
        self._max_deadline_seconds = max_deadline_seconds

    @property
    def places(self) -> int:
        """Number of requests that may be in the engine at once now."""
        return self._admission.places

    def check(self, job: Job, deadline: Deadline) -> None:
        """Raise Overloaded or DeadlineExceeded where `write` would, before a reader that shares the engine's processor
        takes its time for nothing. An engine elsewhere leaves it that time.
        """
        if self._engine.status().servers:
            return
        prompt = min(self._engine.identity.prompt_limit, job.size // 4 + 128)  # tokens, about
        self._admission.check(prompt + self._output_limit(job), deadline, job.caller, to_begin=prompt)

    def prompt(self, job: Job, choice: Choice) -> tuple[Window, Checker]:
        """Return the prompt, and what checks the text that it leads to. Takes milliseconds, of a long document more."""
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
        return prompt, Checker(choice, job.alignment, max_words=max_words, keeps_own_words=own_words)

    async def write(self, job: Job, flight: Flight, prompt: Window, checker: Checker) -> int:
        """Have the engine write, and publish to the flight what the checker lets pass; return how many tokens it wrote.

        Raises Overloaded, DeadlineExceeded and EngineUnavailable.
        """
        async with contextlib.AsyncExitStack() as places:
            with child_span(self._tracer, "queue", job.span):
                cost = len(prompt.ids) + self._output_limit(job)
                entering = self._admission.enter(cost, lambda: flight.deadline, job.caller, to_begin=len(prompt.ids))
                place = await places.enter_async_context(entering)
                flight.queue_seconds = place.waited
            tokens = await self._generate(job, flight, place, prompt, checker)
        if piece := checker.finish():
            flight.publish(piece)
        return tokens

    async def _generate(self, job: Job, flight: Flight, place: Place, prompt: Window, checker: Checker) -> int:
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

            # Followers of the flight watch their own deadlines and cancel this by leaving.
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

    def _output_limit(self, job: Job) -> int:
        return token_limit(job.fields.max_words, self._engine.identity.output_limit)
