"""Labelled pages as the service sees them: cleaned, ranked by words, and read by the reader's own process."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.progress import track

from querygist.artifact.reader_card import ReaderCard
from querygist.deadline import Deadline
from querygist.pipeline.choice import page_of
from querygist.reader.pages import Reading
from querygist.reader.reader import Reader
from querygist.text.cleaning import clean_document
from querygist.text.ranking import Ranking, rank
from querygist.text.units import written
from training.reader.evaluation import Labelled
from training.reader.units import covered

_PATIENCE_SECONDS = 600.0
_AT_ONCE = 8
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A labelled page, its units by their words, and what the reader said. `marks`: if each unit answers; None where
    nobody knows. `logit`: the page's own, before any temperature.
    """

    item: Labelled
    ranking: Ranking
    reading: Reading
    marks: Sequence[bool | None]
    logit: float


def read_all(folder: Path, items: Sequence[Labelled]) -> list[ReadPage]:
    """Read pages with the reader in `folder`. Raises ArtifactError, and ReaderUnavailable when it ends meanwhile."""
    return asyncio.run(_read_all(folder, items))


async def _read_all(folder: Path, items: Sequence[Labelled]) -> list[ReadPage]:
    reader = Reader(ReaderCard.load(folder), folder, threads=2, stall_seconds=_PATIENCE_SECONDS)
    await reader.start()
    try:
        await reader.ready(_PATIENCE_SECONDS)
        found: list[ReadPage] = []
        for start in track(range(0, len(items), _AT_ONCE), description="reading"):
            batch = items[start : start + _AT_ONCE]
            rankings = [rank(clean_document(one.document, content_type="text/plain"), one.query) for one in batch]
            pages = [page_of(ranking, one.query, None) for ranking, one in zip(rankings, batch, strict=True)]
            readings = await reader.read(pages, Deadline.after(_PATIENCE_SECONDS))
            found += map(partial(_read_page, reader.card.temperature), batch, rankings, readings)
        return found
    finally:
        await reader.close()


def _read_page(temperature: float, item: Labelled, ranking: Ranking, reading: Reading) -> ReadPage:
    texts = [written(ranking.text, unit.slices) for unit in ranking.units]
    marks: Sequence[bool | None] = covered(texts, item.answers) if item.answers else [False] * len(texts)
    likely = min(max(reading.page, _SMALLEST), 1 - _SMALLEST)
    return ReadPage(item, ranking, reading, marks, temperature * math.log(likely / (1 - likely)))
