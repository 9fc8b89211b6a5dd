"""The network: an encoder, and what it says at the places where units and the page are scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from querygist.reader.input_format import PAD
from training.reader.examples import UNKNOWN, Example


@dataclass(frozen=True, slots=True)
class Batch:
    """int64 `ids`, `types`, `mask`: [rows, length]. `places`, `answers`, `similarities`: [rows, most units], where
    `there` is true. `page`: [rows]. `answers` and `page` are 1, 0 or UNKNOWN.
    """

    ids: Tensor
    types: Tensor
    mask: Tensor
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


_USUAL = (-1.5, 0.3)
"""Where the unit head begins: one unit in five or six answers, and a page's cosines are about 0.3."""


class Reader(nn.Module):
    """The encoder with a head of two at each unit's [SEP] (answers, similarity), and of one at [CLS].

    Similarity as the cosine of pooled states keeps closer to the base's, and read worse: of the rows for choices 47.7
    ROUGE-2 instead of 51.9, of their hard negatives 43 % refused instead of 72 %. (That run also added its best unit's
    logit to the page's; which of the two cost what was not told apart.)
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        width: int = encoder.config.hidden_size
        self.encoder = encoder
        self.unit_head = nn.Linear(width, 2)
        self.page_head = nn.Linear(width, 1)
        for head in (self.unit_head, self.page_head):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        with torch.no_grad():
            self.unit_head.bias.copy_(torch.tensor(_USUAL))

    def forward(self, batch: Batch) -> Scores:
        """Return the scores of a batch; those where no unit is mean nothing."""
        states = self.encoder(
            input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.mask
        ).last_hidden_state
        with torch.autocast(states.device.type, enabled=False):  # bfloat16 would make equals of logits
            states = states.float()
            ends = states.gather(1, batch.places.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
            units = self.unit_head(ends)
            return Scores(units[..., 0], units[..., 1], self.page_head(states[:, 0]).squeeze(-1))


def collate(examples: Sequence[Example], similarities: Sequence[NDArray[np.float32]] | None = None) -> Batch:
    """Return examples as one batch, padded on the right."""
    rows, length = len(examples), max(map(len, examples))
    units = max(len(example.places) for example in examples)
    ids, types = torch.full((rows, length), PAD), torch.zeros(rows, length, dtype=torch.int64)
    mask = torch.zeros_like(types)
    places, answers = torch.zeros(rows, units, dtype=torch.int64), torch.full((rows, units), UNKNOWN)
    there, cosines = torch.zeros(rows, units, dtype=torch.bool), torch.zeros(rows, units)
    for row, example in enumerate(examples):
        ids[row, : len(example)] = torch.from_numpy(example.ids)
        types[row, : len(example)] = torch.from_numpy(example.types)
        mask[row, : len(example)] = 1
        count = len(example.places)
        places[row, :count] = torch.from_numpy(example.places)
        answers[row, :count] = torch.from_numpy(example.answers)
        there[row, :count] = True
        if similarities is not None:
            cosines[row, :count] = torch.from_numpy(similarities[row])
    page = torch.tensor([example.page for example in examples])
    return Batch(ids, types, mask, places, there, answers, cosines, page)
