"""Models in float64 from end to end. Only torch is imported: both environments use this file."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch


@contextmanager
def in_float64(model: Any) -> Iterator[Any]:
    """Compute in float64 within the block, and in float32 after it.

    Transformers' RMSNorm rounds to float32 on its way even then. Matrix products may end in another last bit from one
    CPU to the next; rounded to float32, and then to FP8, that bit becomes another number of every layer after it.
    """
    norms = [module for module in model.modules() if hasattr(module, "variance_epsilon")]
    model.double()
    for norm in norms:
        norm.forward = partial(_rms_norm, norm)
    yield model
    for norm in norms:
        del norm.forward
    torch.nn.Module.float(model)  # transformers' own refuses models read from a GGUF file


def _rms_norm(norm: Any, states: torch.Tensor) -> torch.Tensor:
    scale: torch.Tensor = norm.weight * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)
    return states * scale
