"""Temperature and calibration error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.reader import calibration

CHANCE = np.random.default_rng(0)
TRUE = CHANCE.normal(0, 2, 1000)
LABELS = (CHANCE.random(1000) < 1 / (1 + np.exp(-TRUE))).astype(float)


@given(st.floats(0.3, 5))
def test_temperature_undoes_a_factor(factor: float) -> None:
    fitted = calibration.fit_temperature(TRUE * factor, LABELS)
    assert fitted / factor == pytest.approx(calibration.fit_temperature(TRUE, LABELS), rel=0.02)


def test_temperature_of_honest_logits_is_one() -> None:
    assert calibration.fit_temperature(TRUE, LABELS) == pytest.approx(1, abs=0.2)


def test_calibration_error_falls_when_scaled() -> None:
    sure = TRUE * 4
    before = calibration.expected_calibration_error(calibration.probability(sure, 1), LABELS)
    fitted = calibration.fit_temperature(sure, LABELS)
    after = calibration.expected_calibration_error(calibration.probability(sure, fitted), LABELS)
    assert after < 0.05 < before


def test_calibration_error_by_hand() -> None:
    found = calibration.expected_calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([1.0, 0.0, 0.0, 0.0]))
    assert found == pytest.approx((0.4 + 0.1) / 2)


def test_probability_of_one_falls_in_the_last_bin() -> None:
    bins = calibration.reliability(np.array([1.0, 0.95]), np.array([1.0, 1.0]))
    assert [found.pages for found in bins] == [2]
