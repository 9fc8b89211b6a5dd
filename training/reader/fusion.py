"""A unit's score from all that is known of it, by a few weights fitted listwise on validation pages."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from querygist.reader.windows import PageScores
from training.reader import losses
from training.reader.examples import UNKNOWN
from training.reader.measures import standardized
from training.reader.mixture import Page
from training.reader.selection import bm25

FEATURES = ("bm25", "reader", "reader_logit", "cosine", "first", "place", "log_words", "before", "behind")
_DECAY = 0.01

Floats = NDArray[np.float32]


def features(page: Page, scores: PageScores) -> Floats:
    """Return FEATURES of each unit: float32[units, features]. `before`, `behind`: the reader's score of neighbours."""
    texts = [unit.text for unit in page.units]
    reader = standardized(scores.units)
    columns = (
        standardized(bm25(page.query, texts)),
        reader,
        scores.units,
        standardized(scores.similarities),
        np.arange(len(texts)) == 0,
        np.arange(len(texts)) / len(texts),
        np.log1p([len(text.split()) for text in texts]),
        np.concatenate([[0.0], reader[:-1]]),
        np.concatenate([reader[1:], [0.0]]),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def fit(pages: Sequence[Page], found: Sequence[Floats]) -> Floats:
    """Return the weights under which the units that answer have most of their page's softmax, with a little decay."""
    most = max(map(len, found))
    answers = torch.full((len(pages), most), UNKNOWN)
    inputs = torch.zeros(len(pages), most, len(FEATURES))
    for row, (page, columns) in enumerate(zip(pages, found, strict=True)):
        marks = [UNKNOWN if unit.answers is None else int(unit.answers) for unit in page.units]
        answers[row, : len(marks)] = torch.tensor(marks)
        inputs[row, : len(marks)] = torch.from_numpy(columns)
    weights = torch.zeros(len(FEATURES), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = losses.listwise(inputs @ weights, answers) + _DECAY * weights.square().sum()
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted: Floats = weights.detach().numpy()
    return fitted


def crossed(pages: Sequence[Page], found: Sequence[Floats]) -> list[Floats]:
    """Return each page's scores by weights fitted on the other half of the pages."""
    halves = [fit(pages[start::2], found[start::2]) for start in (1, 0)]
    return [columns @ halves[place % 2] for place, columns in enumerate(found)]
