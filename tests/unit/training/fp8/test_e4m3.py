"""pytest tests/unit/training/fp8/test_e4m3.py"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.fp8.e4m3 import LARGEST, decode, encode, exact_scale, rounded

ONE = torch.tensor([1.0])

# S EEEE MMM, bias 7; E = 0 is subnormal (M / 8 x 2^-6), S 1111 111 is NaN (Micikevicius et al., 2022, table 1).
TABLE = [
    (0b0_0000_000, 0.0),
    (0b0_0000_001, 2**-9),
    (0b0_0000_111, 7 * 2**-9),
    (0b0_0001_000, 2**-6),
    (0b0_0111_000, 1.0),
    (0b0_0111_001, 1.125),
    (0b0_1000_100, 3.0),
    (0b0_1111_110, 448.0),
    (0b1_0111_000, -1.0),
    (0b1_1111_110, -448.0),
]


@pytest.mark.parametrize(("bits", "value"), TABLE)
def test_the_table_of_the_format(bits: int, value: float) -> None:
    stored = torch.tensor([bits], dtype=torch.uint8).view(torch.float8_e4m3fn)
    assert decode(stored, ONE).item() == value
    assert encode(torch.tensor([value]), ONE).view(torch.uint8).item() == bits


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0625, 1.0),  # halfway between 1 and 1.125: to the even mantissa
        (1.1875, 1.25),
        (1.07, 1.125),
        (-1.07, -1.125),
        (2**-10, 0.0),  # halfway between 0 and the smallest
        (2**-10 * 1.01, 2**-9),
        (500.0, 448.0),  # saturates where torch alone makes NaN
        (-1e30, -448.0),
        (math.inf, 448.0),
    ],
)
def test_rounding_by_hand(value: float, expected: float) -> None:
    assert rounded(torch.tensor([value]), ONE).item() == expected


def stored_numbers() -> torch.Tensor:
    every = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    return every[every.float().isfinite()]


def test_there_are_253_numbers() -> None:
    assert len(set(stored_numbers().float().tolist())) == 253


@given(st.lists(st.floats(-447, 447, width=32), min_size=1, max_size=50))
def test_it_is_the_nearest_number_and_torch_agrees(values: list[float]) -> None:
    found = rounded(torch.tensor(values), ONE)
    assert torch.equal(found, torch.tensor(values).to(torch.float8_e4m3fn).float())
    distances = (stored_numbers().double()[None] - torch.tensor(values, dtype=torch.float64)[:, None]).abs()
    assert torch.equal((found.double() - torch.tensor(values, dtype=torch.float64)).abs(), distances.min(dim=1).values)


@given(st.floats(2**-20, 2**20, width=32))
def test_scales_are_exact_and_hardly_larger_than_needed(largest: float) -> None:
    scale = exact_scale(torch.tensor(largest))
    needed = torch.tensor(largest).double() / LARGEST
    assert needed <= scale.double().item() <= needed * (1 + 2**-11) + 1e-45
    assert (LARGEST * scale).double() == LARGEST * scale.double()
    for back in (1 / (1 / scale), (LARGEST * scale) / LARGEST, 1 / (LARGEST / (LARGEST * scale))):
        assert torch.equal(back, scale)


@given(st.floats(2**-20, 2**20, width=32))
def test_stored_values_come_back_by_division_and_product(largest: float) -> None:
    scale = exact_scale(torch.tensor(largest))
    values = decode(stored_numbers(), scale)
    assert torch.equal((values / scale).to(torch.float8_e4m3fn).float(), stored_numbers().float())
    assert torch.equal(encode(values, scale).float(), stored_numbers().float())
    assert torch.equal(rounded(values.double(), scale), values.double())


def test_the_largest_value_is_stored_as_the_largest_number() -> None:
    values = torch.tensor([0.3, -0.7, 0.1])
    assert encode(values, exact_scale(values.abs().max())).float().abs().max() == LARGEST


@given(st.floats(0.01, 100), st.integers(0, 2**32))
def test_the_error_is_a_sixteenth_at_most(spread: float, seed: int) -> None:
    values = torch.randn(200, generator=torch.Generator().manual_seed(seed)) * spread
    scale = exact_scale(values.abs().max())
    normal = values.abs() >= 2**-6 * scale
    error = (rounded(values, scale) - values).abs()
    assert (error[normal] <= values.abs()[normal] * (2**-4 + 2**-11)).all()
    assert (error[~normal] <= 2**-10 * scale * 1.001).all()
