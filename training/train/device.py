"""The device that trains, and the precision of its matrix products."""

import torch

from querygist.errors import ConfigurationError
from training.config import StudentConfig


def choose_device(configured: str) -> torch.device:
    """Return the configured device; of "auto" the first of cuda, mps and cpu that is there.

    Raises ConfigurationError when torch finds no such device on this machine.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if configured == "auto":
        configured = next(name for name, found in there.items() if found)
    if not there[configured]:
        raise ConfigurationError(f"torch finds no {configured} device here. Set device to auto, or to cpu.")
    return torch.device(configured)


def autocast(device: torch.device, student: StudentConfig) -> torch.autocast:
    """Return what the student is trained under: matrix products in bfloat16 where `student.bf16` wants them.

    Where it leaves that open, on a GPU that has them; on a CPU, results stay what they are.
    """
    enabled = student.bf16
    if enabled is None:
        enabled = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
