"""Summaries and extracts as answers of the HTTP contract."""

import time

from querygist.engines.base import Identity
from querygist.pipeline.cache import Flight
from querygist.pipeline.job import Job
from querygist.pipeline.summary import Summary
from querygist.schemas import Answer, ModelName, Span, Timings, Usage
from querygist.text.passages import Snippet


def generated(job: Job, summary: Summary, identity: Identity, flight: Flight) -> Answer:
    """Return the answer of a generated summary."""
    total = time.monotonic() - job.started
    first = flight.first_text_at - job.started if flight.first_text_at else total
    return Answer(
        id=job.id,
        summary=summary.text,
        answerable=summary.answerable,
        method="generative",
        cached=flight.cached,
        sources=[Span(start=start, end=end) for start, end in summary.sources],
        copied=round(summary.copied, 4),
        text=job.extracted_text,
        model=ModelName(name=identity.name, version=identity.version),
        usage=Usage(
            prompt_tokens=summary.prompt_tokens,
            completion_tokens=summary.completion_tokens,
            truncated=summary.truncated,
        ),
        timings_ms=_timings(flight.queue_seconds, first, total),
    )


def extracted(job: Job, extract: Snippet, copied: float, identity: Identity) -> Answer:
    """Return the extractive answer: every word is the document's."""
    total = time.monotonic() - job.started
    return Answer(
        id=job.id,
        summary=extract.text,
        answerable=extract.answerable,
        method="extractive",
        cached=False,
        sources=[
            Span(start=start, end=end) for start, end in (job.document.to_source(*span) for span in extract.spans)
        ],
        copied=round(copied, 4),
        text=job.extracted_text,
        model=ModelName(name=identity.name, version=identity.version),
        usage=Usage(prompt_tokens=0, completion_tokens=0, truncated=False),
        timings_ms=_timings(0.0, total, total),
    )


def _timings(queue: float, first: float, total: float) -> Timings:
    """Seconds in, milliseconds out. Who joins a flight late has waited less than the flight, and not less than 0."""
    return Timings(
        queue=round(1000 * min(queue, total), 2),
        first_token=round(1000 * max(0.0, first), 2),
        total=round(1000 * total, 2),
    )
