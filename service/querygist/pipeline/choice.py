"""The choice of what answers on a page: by the reader where it can read, by BM25 where it cannot."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from cachetools import LRUCache

from querygist.deadline import Deadline
from querygist.errors import ReaderUnavailable, ServiceError
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.fusion import Fusion
from querygist.pipeline.job import Job
from querygist.pipeline.text_work import TextWork
from querygist.reader.pages import PageToRead, Reading
from querygist.reader.reader import Reader
from querygist.text.quote import NO_QUOTE, Quote, quote_of
from querygist.text.ranking import Ranking
from querygist.text.sentences import Span
from querygist.text.units import Unit, written

T = TypeVar("T")

_NEARLY = 0.9  # a reader's scores tell the best from what is near it
_KEPT_READINGS = 2_000  # of pages; about 3 kB each
_READ_AT_ONCE = 2  # pages: while the reader scores one, the next is made ready
_MOST_CHARACTERS = 10_000  # of a page that count as work: the reader reads 2,000 tokens at most
_LONGEST_READING = 60.0  # s; whoever waits for it watches the clock, and leaves
_SHARE = 0.5  # of the time that is left, the most that reading may take: the rest is for writing


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
    """Chooses, and keeps what the reader said of recent pages: they are asked for in other lengths and styles, too.

    `cache_scope` of a caller is where its readings are kept; `max_waiting` pages may wait for the reader.
    """

    def __init__(
        self,
        reader: Reader | None,
        metrics: Metrics,
        texts: TextWork,
        *,
        max_waiting: int,
        cache_scope: Callable[[Job], str] = lambda _: "",
    ) -> None:
        self._reader = reader
        self._fusion = Fusion.of(reader.card.fusion) if reader else None
        self._metrics = metrics
        self._texts = texts
        self._admission = Admission("with the reader", max_in_flight=_READ_AT_ONCE, max_waiting=max_waiting)
        self._cache_scope = cache_scope
        self._readings: LRUCache[bytes, Reading] = LRUCache(_KEPT_READINGS)

    @property
    def identity(self) -> str:
        """Name of the reader, for the key of what is cached: choices depend on it."""
        return self._reader.card.identity if self._reader else ""

    async def choose(self, job: Job, deadline: Callable[[], Deadline]) -> Choice:
        """Choose what answers. `deadline`: until which anyone waits for it.

        Raises DeadlineExceeded, and Overloaded where the text is long and too many are.
        """

        async def on_text(work: Callable[[], T]) -> T:
            return await self._texts.run(job.size, work, job.caller, deadline)

        ranking = await on_text(lambda: job.ranking)
        if self._reader is None or self._fusion is None or not ranking.units or not ranking.english:
            return await on_text(partial(choose_by_words, job))
        key = _key(job, self._cache_scope(job))
        if (reading := self._readings.get(key)) is None:
            page = await on_text(partial(page_of, ranking, job.query, job.title))
            try:
                reading = self._readings[key] = await self._read(self._reader, page, job, deadline)
            except ReaderUnavailable:
                self._metrics.reader_failures.inc()
                return replace(await on_text(partial(choose_by_words, job)), lasting=False)
        return await on_text(partial(chosen, job, reading, self._fusion, self._reader.card.threshold))

    async def _read(self, reader: Reader, page: PageToRead, job: Job, deadline: Callable[[], Deadline]) -> Reading:
        """Raises ReaderUnavailable when it is gone, or would come to the page too late."""
        began = time.monotonic()
        reading = asyncio.ensure_future(self._read_in_turn(reader, page, job, deadline))
        try:
            while not reading.done():
                half_way = began + _SHARE * (deadline().at - began)  # later, once somebody waits longer for it
                if half_way <= time.monotonic():
                    raise ReaderUnavailable("The reader does not come to this page in time.")
                await asyncio.wait({reading}, timeout=half_way - time.monotonic())
            return reading.result()
        except ServiceError as error:
            raise ReaderUnavailable(error.detail) from error
        finally:
            reading.cancel()

    async def _read_in_turn(
        self, reader: Reader, page: PageToRead, job: Job, deadline: Callable[[], Deadline]
    ) -> Reading:
        cost = min(page.characters, _MOST_CHARACTERS)
        async with self._admission.enter(cost, deadline, job.caller):
            with self._metrics.reader_latency.time():
                (reading,) = await reader.read([page], Deadline.after(_LONGEST_READING))
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


def _key(job: Job, scope: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (scope, job.query, job.title or "", job.fields.content_type, job.document.source):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.digest()
