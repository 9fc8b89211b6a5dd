"""Losses of the reader. Each is a mean over what a batch knows of, and 0 where it knows of nothing."""

import torch
from torch import Tensor
from torch.nn import functional

from training.config import ReaderConfig
from training.reader.examples import UNKNOWN
from training.reader.model import Batch, Scores


def total(scores: Scores, batch: Batch, config: ReaderConfig) -> tuple[Tensor, dict[str, float]]:
    """Return the weighted sum of all losses, and each without its weight."""
    parts = {
        "unit": (config.unit_weight, units(scores.units, batch.answers, config.positive_weight)),
        "listwise": (config.listwise_weight, listwise(scores.units, batch.answers)),
        "page": (config.page_weight, page(scores.page, batch.page)),
        "similarity": (config.similarity_weight, similarity(scores.similarities, batch.similarities, batch.there)),
    }
    loss = torch.stack([weight * part for weight, part in parts.values()]).sum()
    return loss, {name: float(part.detach()) for name, (_, part) in parts.items()}


def units(logits: Tensor, answers: Tensor, positive_weight: float) -> Tensor:
    """Return binary cross-entropy over the units that are known; one that answers counts `positive_weight` times."""
    known = answers != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    weight = logits.new_tensor(positive_weight)
    return functional.binary_cross_entropy_with_logits(
        logits[known], answers[known].to(logits.dtype), pos_weight=weight
    )


def listwise(logits: Tensor, answers: Tensor) -> Tensor:
    """Return cross-entropy of the softmax over a page's units to an even share on those that answer (ListNet, Cao et
    al. 2007), less that share's own entropy; a mean over pages where one answers and another does not.
    """
    known, gold = answers != UNKNOWN, answers == 1
    pages = gold.any(1) & (answers == 0).any(1)
    if not pages.any():
        return logits.sum() * 0
    logs = logits[pages].masked_fill(~known[pages], -torch.inf).log_softmax(1)
    share = gold[pages] / gold[pages].sum(1, keepdim=True)
    entropy = gold[pages].sum(1).to(logits.dtype).log()
    return (-(share * logs.masked_fill(~gold[pages], 0)).sum(1) - entropy).mean()


def page(logits: Tensor, answerable: Tensor) -> Tensor:
    """Return binary cross-entropy over the pages that are known."""
    known = answerable != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits[known], answerable[known].to(logits.dtype))


_SPREAD = 0.15
"""Standard deviation of cosines within a page: with it, an error that loses the order costs about 1."""


def similarity(predicted: Tensor, cosines: Tensor, there: Tensor) -> Tensor:
    """Return the mean squared error of the cosines, in units of their spread within a page."""
    return ((predicted - cosines)[there] / _SPREAD).square().mean()
