"""Token ids as batches, and what a model makes of them at the places that are learnt from."""

import random
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from training.train.encoding import Encoded

T = TypeVar("T", bound=Sized)

IGNORED = -100
"""The label of a position that is not learnt from (torch.nn.functional.cross_entropy's default)."""

POOL_BATCHES = 50
"""Examples are sorted by length within pools of so many batches: little padding, and batches still random."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` and `mask` are int64[rows, length], padded on the right. `labels` are aligned with the outputs: the label
    of a position is the id that follows it, and IGNORED where that is not of the summary.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor


def epoch(examples: Sequence[T], *, rows: int, seed: int) -> Iterator[list[T]]:
    """Yield batches of `rows` examples of like length, each example once, in random order: the same for a seed."""
    chance = random.Random(seed)  # noqa: S311
    order = chance.sample(range(len(examples)), len(examples))
    batches = []
    for start in range(0, len(order), POOL_BATCHES * rows):
        alike = sorted(order[start : start + POOL_BATCHES * rows], key=lambda number: len(examples[number]))
        batches += [alike[begin : begin + rows] for begin in range(0, len(alike), rows)]
    chance.shuffle(batches)
    for numbers in batches:
        yield [examples[number] for number in numbers]


def collate(examples: Sequence[Encoded], pad_id: int, device: torch.device | None = None) -> Batch:
    """Return one batch of examples, as tensors on the device (none: the CPU)."""
    length = max(map(len, examples))
    ids = torch.full((len(examples), length), pad_id, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, one in enumerate(examples):
        whole = torch.tensor(one.prompt + one.target)
        ids[row, : len(whole)] = whole
        mask[row, : len(whole)] = 1
        labels[row, len(one.prompt) - 1 : len(whole) - 1] = whole[len(one.prompt) :]
    return Batch(ids.to(device), mask.to(device), labels.to(device))


def hidden_states(model: Any, batch: Batch) -> torch.Tensor:
    """Return what the last layer makes of each position: [rows, length, width]."""
    states: torch.Tensor = model.get_decoder()(
        input_ids=batch.ids, attention_mask=batch.mask, use_cache=False
    ).last_hidden_state
    return states


def logits_at(model: Any, hidden: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float32[targets, vocabulary] and labels int64[targets], at the summaries' positions only.

    The vocabulary is 49,152 wide: over a whole prompt the last layer alone would cost as much as the others.
    """
    learnt = batch.labels != IGNORED
    return model.get_output_embeddings()(hidden[learnt]).float(), batch.labels[learnt]


def target_logits(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `logits_at` of the model's own states."""
    return logits_at(model, hidden_states(model, batch), batch)
