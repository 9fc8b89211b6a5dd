"""Summaries, and answers of the HTTP contract made of them."""

import time
from collections.abc import Iterable
from dataclasses import replace

from querygist.engines.base import Identity
from querygist.errors import DeadlineExceeded, EngineUnavailable, NotReady, Overloaded
from querygist.pipeline.attribution import merged
from querygist.pipeline.cache import Flight
from querygist.pipeline.checker import CheckedSegment
from querygist.pipeline.choice import Choice
from querygist.pipeline.job import Job
from querygist.pipeline.summary import Cited, Reason, Summary
from querygist.schemas import Answer, Citation, ModelName, Span, TextSpan, Timings, Usage
from querygist.text.quote import Segment

REASONS: dict[str, Reason] = {
    Overloaded.reason: "overloaded",
    NotReady.reason: "engine",
    EngineUnavailable.reason: "engine",
    DeadlineExceeded.reason: "deadline",
}
"""The `reason` of a quote that stands in for an answer, by the error's."""


def quoted(job: Job, choice: Choice, reason: Reason) -> Summary:
    """Return the summary that is the page's quote, and why it is."""
    quote = choice.quote
    return _summary(job, choice, quote.text, quote.segments, reason)


def written(job: Job, choice: Choice, text: str, segments: Iterable[CheckedSegment]) -> Summary:
    """Return the summary of a checked text; "" where the page does not answer."""
    return replace(_summary(job, choice, text, segments, None), method="generative")


def _summary(job: Job, choice: Choice, text: str, segments: Iterable[Segment], reason: Reason | None) -> Summary:
    citations = [
        Cited(
            one.start,
            one.end,
            tuple(job.document.to_source(*span) for span in one.sources),
            one.support if isinstance(one, CheckedSegment) else "verbatim",
        )
        for one in segments
    ]
    copied = job.alignment.copied(text) if text else 0.0
    return Summary(
        text, bool(text), "extractive", reason, tuple(citations), copied, choice.score, lasting=choice.lasting
    )


def answer_of(job: Job, summary: Summary, identity: Identity, flight: Flight | None) -> Answer:
    """Return the answer to `job`; `flight`: what it was waited for in, None of a quote that stands in for one."""
    total = time.monotonic() - job.started
    waited = flight.queue_seconds if flight else 0.0
    first = flight.first_text_at - job.started if flight and flight.first_text_at else total
    sources = merged([span for one in summary.citations for span in one.sources])
    return Answer(
        id=job.id,
        summary=summary.text,
        answerable=summary.answerable,
        score=None if summary.score is None else round(summary.score, 4),
        method=summary.method,
        reason=summary.reason,
        cached=flight.cached if flight else False,
        citations=[
            Citation(
                summary=TextSpan(start=one.start, end=one.end),
                sources=[Span(start=start, end=end) for start, end in one.sources],
                support=one.support,
            )
            for one in summary.citations
        ],
        sources=[Span(start=start, end=end) for start, end in sources],
        copied=round(summary.copied, 4),
        text=job.extracted_text,
        model=ModelName(name=identity.name, version=identity.version),
        usage=Usage(
            prompt_tokens=summary.prompt_tokens,
            completion_tokens=summary.completion_tokens,
            truncated=summary.truncated,
        ),
        timings_ms=_timings(waited, first, total),
    )


def _timings(queue: float, first: float, total: float) -> Timings:
    """Seconds in, milliseconds out. Who joins a flight late has waited less than the flight, and not less than 0."""
    return Timings(
        queue=round(1000 * min(queue, total), 2),
        first_token=round(1000 * max(0.0, first), 2),
        total=round(1000 * total, 2),
    )
