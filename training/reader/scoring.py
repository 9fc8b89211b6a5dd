"""Scores of whole pages: windows with overlap where a page is longer than the network reads at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.reader.examples import Example, encode
from training.reader.input_format import MAX_TOKENS, InputEncoder
from training.reader.mixture import Page
from training.reader.model import Reader, collate

_OVERLAP = 0.5
_BATCH_TOKENS = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PageScores:
    """`units` (logits) and `similarities` (cosines): float32[units]; `page`: a logit."""

    units: Floats
    similarities: Floats
    page: float


@dataclass(frozen=True, slots=True)
class _Window:
    page: int
    start: int
    example: Example


class Scorer:
    """A reader, in evaluation."""

    def __init__(self, model: Reader, encoder: InputEncoder, autocast: torch.autocast) -> None:
        self._model = model.eval()
        self._encoder = encoder
        self._autocast = autocast

    def score(self, pages: Sequence[Page], max_tokens: int = MAX_TOKENS) -> list[PageScores]:
        """Return the scores of each page. A unit in two windows has the mean of both; a page its best window's."""
        windows = [window for number, page in enumerate(pages) for window in self._windows(number, page, max_tokens)]
        sums = [np.zeros((3, len(page.units)), np.float32) for page in pages]
        best = [-np.inf] * len(pages)
        for batch in _batches(windows):
            with torch.inference_mode(), self._autocast:
                scores = self._model(collate([window.example for window in batch]))
            for row, window in enumerate(batch):
                count = len(window.example.places)
                found = sums[window.page][:, window.start : window.start + count]
                found += np.stack(
                    [scores.units[row, :count].numpy(), scores.similarities[row, :count].numpy(), np.ones(count)]
                )
                best[window.page] = max(best[window.page], float(scores.page[row]))
        return [
            PageScores(units / seen, similarities / seen, page)
            for (units, similarities, seen), page in zip(sums, best, strict=True)
        ]

    def _windows(self, number: int, page: Page, max_tokens: int) -> list[_Window]:
        windows: list[_Window] = []
        start = 0
        while True:
            example = encode(page, page.query, page.units[start:], self._encoder, max_tokens, None)
            if example is None:
                raise ValueError(f"{page.id} has no unit that fits {max_tokens} tokens")
            windows.append(_Window(number, start, example))
            count = len(example.places)
            if start + count >= len(page.units):
                return windows
            start += max(1, round(count * (1 - _OVERLAP)))


def _batches(windows: Sequence[_Window]) -> list[list[_Window]]:
    """Return windows of like length together, so many that a batch has _BATCH_TOKENS at most."""
    batches: list[list[_Window]] = []
    for window in sorted(windows, key=lambda window: len(window.example)):
        if not batches or len(window.example) * (len(batches[-1]) + 1) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(window)
    return batches
