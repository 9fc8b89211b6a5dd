"""The network: an encoder, and what it says at the places where units and the page are scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.reader.examples import UNKNOWN, Example
from training.reader.input_format import CLS, PAD, SEP


@dataclass(frozen=True, slots=True)
class Batch:
    """int64 `ids`, `types`, `mask`, `segments`: [rows, length]. `places`, `answers`, `similarities`: [rows, units],
    where `there` is true. `page`: [rows]. `answers` and `page` are 1, 0 or UNKNOWN. A token's segment is 1 in the
    query, n + 2 in the words of unit n, else 0.
    """

    ids: Tensor
    types: Tensor
    mask: Tensor
    segments: Tensor
    places: Tensor
    there: Tensor
    answers: Tensor
    similarities: Tensor
    page: Tensor


@dataclass(frozen=True, slots=True)
class Scores:
    """Float32. `units` (logits) and `similarities` (cosines): [rows, most units]; `page` (logits): [rows]."""

    units: Tensor
    similarities: Tensor
    page: Tensor


_USUAL_UNIT = -1.5
"""Where the unit head's bias begins: one unit in five or six answers."""

_USUAL_COSINE = (1.4, -0.55)
"""Where the line from the cosine of pooled states to the base's begins. Untrained, one pass over query and units
gives cosines of 0.59 with a deviation of 0.18, the base's own are 0.28 with 0.24 (correlation 0.74, 240 pages).
"""


_USUAL_BEST = 0.5
"""Where the weight of a page's best unit in the page's own logit begins."""


class Reader(nn.Module):
    """The encoder and what is read off its states: at each unit's [SEP], if it answers; at [CLS], to which the best
    unit's logit adds, if the page does; and the cosine of query and unit, pooled as the base does, on a learnt line.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        width: int = encoder.config.hidden_size
        self.encoder = encoder
        self.unit_head = nn.Linear(width, 1)
        self.page_head = nn.Linear(width, 1)
        self.best_head = nn.Linear(1, 1, bias=False)
        self.cosine_head = nn.Linear(1, 1)
        for head in (self.unit_head, self.page_head):
            nn.init.normal_(head.weight, std=0.02)
        nn.init.constant_(self.unit_head.bias, _USUAL_UNIT)
        nn.init.zeros_(self.page_head.bias)
        nn.init.constant_(self.best_head.weight, _USUAL_BEST)
        nn.init.constant_(self.cosine_head.weight, _USUAL_COSINE[0])
        nn.init.constant_(self.cosine_head.bias, _USUAL_COSINE[1])

    def forward(self, batch: Batch) -> Scores:
        """Return the scores of a batch; those where no unit is mean nothing."""
        states = self.encoder(
            input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.mask
        ).last_hidden_state
        with torch.autocast(states.device.type, enabled=False):  # bfloat16 would make equals of logits
            states = states.float()
            ends = states.gather(1, batch.places.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
            units = self.unit_head(ends).squeeze(-1)
            best = units.masked_fill(~batch.there, -torch.inf).amax(1, keepdim=True)
            page = self.page_head(states[:, 0]) + self.best_head(best)
            return Scores(units, self.cosine_head(_cosines(states, batch).unsqueeze(-1)).squeeze(-1), page.squeeze(-1))


def _cosines(states: Tensor, batch: Batch) -> Tensor:
    """Return the cosine of the query's mean state and each unit's, [rows, units]. Sums do: lengths cancel."""
    count = batch.places.shape[1] + 2
    inside = functional.one_hot(batch.segments, count)[..., 1:].to(states.dtype)
    sums = torch.matmul(inside.transpose(1, 2), states)
    return functional.cosine_similarity(sums[:, :1], sums[:, 1:], dim=-1)


def collate(examples: Sequence[Example], similarities: Sequence[NDArray[np.float32]] | None = None) -> Batch:
    """Return examples as one batch, padded on the right."""
    rows, length = len(examples), max(map(len, examples))
    units = max(len(example.places) for example in examples)
    ids, types = torch.full((rows, length), PAD), torch.zeros(rows, length, dtype=torch.int64)
    mask = torch.zeros_like(types)
    places, answers = torch.zeros(rows, units, dtype=torch.int64), torch.full((rows, units), UNKNOWN)
    segments = torch.zeros_like(types)
    there, cosines = torch.zeros(rows, units, dtype=torch.bool), torch.zeros(rows, units)
    for row, example in enumerate(examples):
        ids[row, : len(example)] = torch.from_numpy(example.ids)
        types[row, : len(example)] = torch.from_numpy(example.types)
        mask[row, : len(example)] = 1
        segments[row, : len(example)] = torch.from_numpy(segments_of(example))
        count = len(example.places)
        places[row, :count] = torch.from_numpy(example.places)
        answers[row, :count] = torch.from_numpy(example.answers)
        there[row, :count] = True
        if similarities is not None:
            cosines[row, :count] = torch.from_numpy(similarities[row])
    page = torch.tensor([example.page for example in examples])
    return Batch(ids, types, mask, segments, places, there, answers, cosines, page)


def segments_of(example: Example) -> NDArray[np.int64]:
    """Return each token's segment: 1 for the query's, n + 2 for those of unit n, 0 for headings and control tokens."""
    segments = np.searchsorted(example.places, np.arange(len(example))) + 2
    end = int(np.flatnonzero(example.ids == SEP)[0])
    segments[:end] = 1
    segments[(example.types == 1) | np.isin(example.ids, (CLS, SEP))] = 0
    return segments
