"""FP8 E4M3 as TensorRT-LLM uses it: one scale for a tensor, 4 bits of exponent, 3 of mantissa, no infinities.

A value x is stored as x / scale, rounded to the nearest of 253 numbers between -448 and 448 (ties to even), and
saturates beyond them (Micikevicius et al., "FP8 Formats for Deep Learning", 2022). Only torch is imported: both
environments use this file.
"""

import torch

LARGEST = 448.0

_BITS = 20


def exact_scale(largest: torch.Tensor) -> torch.Tensor:
    """The scale, float32[1], of a tensor whose largest magnitude is `largest`: up to 2^-11 of it above largest / 448.

    Of the scales above, the first of 20 significant bits that `_is_exact`. ModelOpt multiplies with reciprocals where
    it simulates, and divides by scales where it exports; with any other scale the two round a few numbers apart, and
    every layer with rounded inputs makes more noise of that.
    """
    mantissa, exponent = torch.frexp((largest.float() / LARGEST).reshape(1))
    steps = torch.ceil(torch.ldexp(mantissa, torch.tensor(_BITS)))
    while not _is_exact(scale := torch.ldexp(steps, exponent - _BITS)):
        steps += 1
    return scale


def _is_exact(scale: torch.Tensor) -> bool:
    """True when all ways to say it are one in float32. 448 x scale and stored numbers x scale are exact anyway."""
    return torch.equal(1 / (1 / scale), scale) and torch.equal(LARGEST / (LARGEST * scale), 1 / scale)


def encode(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """`values` as float8_e4m3fn of the same shape."""
    # torch makes NaN of what is too large; TensorRT-LLM's conversion saturates.
    return (values.float() * (1 / scale)).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)


def decode(stored: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The float32 values that `stored` stands for."""
    return stored.float() * scale


def rounded(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """`values` as they come back from FP8, in their own type."""
    return decode(encode(values, scale), scale).to(values.dtype)
