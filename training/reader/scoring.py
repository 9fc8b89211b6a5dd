"""Scores of whole pages: windows with overlap where a page is longer than the network reads at once."""

from collections.abc import Sequence

import numpy as np
import torch

from querygist.reader.input_format import InputEncoder, ReaderInput
from querygist.reader.windows import PageScores, Window, WindowScores, merged, windows
from training.reader.examples import UNKNOWN, Example
from training.reader.mixture import Page
from training.reader.model import Reader, collate

_BATCH_TOKENS = 4096


class Scorer:
    """A reader, in evaluation."""

    def __init__(self, model: Reader, encoder: InputEncoder, autocast: torch.autocast) -> None:
        self._model = model.eval()
        self._encoder = encoder
        self._autocast = autocast

    def score(self, pages: Sequence[Page], max_tokens: int | None = None) -> list[PageScores]:
        """Return the scores of each page, all of which is read. Raises ValueError for a unit that fits no window."""
        found = [(number, window) for number, page in enumerate(pages) for window in self._windows(page, max_tokens)]
        scores: list[list[tuple[Window, WindowScores]]] = [[] for _ in pages]
        for batch in _batches(found):
            with torch.inference_mode(), self._autocast:
                said = self._model(collate([_example(window.input) for _, window in batch]))
            for row, (number, window) in enumerate(batch):
                count = len(window.units)
                own = said.units[row, :count].tolist(), said.similarities[row, :count].tolist()
                scores[number].append((window, WindowScores(*own, float(said.page[row]))))
        return [merged(len(page.units), own) for page, own in zip(pages, scores, strict=True)]

    def _windows(self, page: Page, max_tokens: int | None) -> list[Window]:
        texts, paths = [unit.text for unit in page.units], [unit.headings for unit in page.units]
        found = windows(self._encoder, page.query, texts, paths, max_tokens=max_tokens)
        if len({index for window in found for index in window.units}) < len(texts):
            raise ValueError(f"{page.id} has a unit that fits no window")
        return found


def _example(one: ReaderInput) -> Example:
    """Return an input without labels."""
    unknown = np.full(len(one.places), UNKNOWN, np.int8)
    arrays = np.array(one.ids, np.int32), np.array(one.types, np.int8), np.array(one.places, np.int32)
    return Example("", "", *arrays, unknown, UNKNOWN, "", ())


def _batches(found: Sequence[tuple[int, Window]]) -> list[list[tuple[int, Window]]]:
    """Return windows of like length together, so many that a batch has _BATCH_TOKENS at most."""
    batches: list[list[tuple[int, Window]]] = []
    for number, window in sorted(found, key=lambda one: len(one[1].input.ids)):
        if not batches or len(window.input.ids) * (len(batches[-1]) + 1) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append((number, window))
    return batches
