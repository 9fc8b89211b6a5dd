"""The choice of what answers on a page: by the reader where it can read, by BM25 where it cannot."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from cachetools import LRUCache

from querygist.deadline import Deadline
from querygist.errors import ReaderUnavailable
from querygist.metrics import Metrics
from querygist.offload import off_loop
from querygist.pipeline.backlog import Backlog
from querygist.pipeline.fusion import Fusion
from querygist.pipeline.job import Job
from querygist.reader.pages import PageToRead, Reading
from querygist.reader.reader import Reader
from querygist.text.quote import NO_QUOTE, Quote, quote_of
from querygist.text.ranking import Ranking
from querygist.text.sentences import Span
from querygist.text.units import Unit, written

_NEARLY = 0.9  # a reader's scores tell the best from what is near it
_KEPT_READINGS = 2_000  # of pages; about 3 kB each


@dataclass(frozen=True, slots=True)
class Choice:
    """The units of a page, best first, and the quote made of them.

    `score`: the probability that the page answers, None where no reader read it. `nearly`: share of the best unit's
    score from which a sentence answers as well; `least`: that below which a unit is not shown beside the best, which
    BM25 cannot tell. `lasting`: not made by BM25 in the reader's absence, and so worth keeping.
    """

    ranking: Ranking
    quote: Quote
    score: float | None = None
    nearly: float = 0.7
    least: float = 0.0
    lasting: bool = True


def choose_by_words(job: Job) -> Choice:
    """Choose by BM25. Takes milliseconds, of a long document more."""
    return Choice(job.ranking, quote_of(job.ranking, max_words=job.fields.max_words))


class Chooser:
    """Chooses, and keeps what the reader said of recent pages: they are asked for in other lengths and styles, too."""

    def __init__(self, reader: Reader | None, metrics: Metrics) -> None:
        self._reader = reader
        self._fusion = Fusion.of(reader.card.fusion) if reader else None
        self._metrics = metrics
        self._backlog = Backlog()
        self._readings: LRUCache[bytes, Reading] = LRUCache(_KEPT_READINGS)

    @property
    def identity(self) -> str:
        """Name of the reader, for the key of what is cached: choices depend on it."""
        return self._reader.card.identity if self._reader else ""

    async def choose(self, job: Job, deadline: Deadline) -> Choice:
        """Choose what answers. `deadline`: of the reader, which others may wait for longer than the job's.

        Raises DeadlineExceeded when the reader has not come to the page by then.
        """
        ranking = await off_loop(len(job.document.text), lambda: job.ranking)
        if self._reader is None or self._fusion is None or not ranking.units or not ranking.english:
            return await off_loop(len(job.document.text), partial(choose_by_words, job))
        try:
            reading = await self._read(self._reader, job, deadline)
        except ReaderUnavailable:
            self._metrics.reader_failures.inc()
            return replace(await off_loop(len(job.document.text), partial(choose_by_words, job)), lasting=False)
        threshold = self._reader.card.threshold
        return await off_loop(len(job.document.text), partial(chosen, job, reading, self._fusion, threshold))

    async def _read(self, reader: Reader, job: Job, deadline: Deadline) -> Reading:
        key = _key(job)
        if (reading := self._readings.get(key)) is None:
            page = await off_loop(len(job.document.text), partial(page_of, job.ranking, job.query, job.title))
            with self._backlog.page(page.characters, job.deadline), self._metrics.reader_latency.time():
                (reading,) = await reader.read([page], deadline)
            self._readings[key] = reading
        return reading


def page_of(ranking: Ranking, query: str, title: str | None) -> PageToRead:
    """Return a ranked page as the reader takes it: units as they would be quoted, under title, headings and lead-in."""
    text, root = ranking.text, (title,) if title else ()
    return PageToRead(
        query,
        [written(text, unit.slices) for unit in ranking.units],
        [(*root, *(text[slice(*span)] for span in _above(unit))) for unit in ranking.units],
        ranking.order or range(len(ranking.units)),
    )


def _above(unit: Unit) -> Sequence[Span]:
    return (*unit.headings, unit.lead_in) if unit.lead_in else unit.headings


def chosen(job: Job, reading: Reading, fusion: Fusion, threshold: float) -> Choice:
    """Return the choice by a reading: nothing of a page that likely does not answer."""
    ranking = fusion.fused(job.ranking, reading)
    quote = NO_QUOTE
    if reading.page >= threshold:
        quote = quote_of(ranking, max_words=job.fields.max_words, weights=fusion.quote_weights)
    return Choice(ranking, quote, reading.page, nearly=_NEARLY, least=fusion.entry)


def _key(job: Job) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (job.query, job.title or "", job.fields.content_type, job.document.source):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.digest()
