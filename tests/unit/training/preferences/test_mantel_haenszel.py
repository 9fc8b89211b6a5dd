"""pytest tests/unit/training/preferences/test_mantel_haenszel.py"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.preferences.click_pairs import Stratum, mantel_haenszel

SHOWN = st.integers(1, 500)


@st.composite
def strata(draw: st.DrawFn) -> Stratum:
    shown = draw(st.tuples(SHOWN, SHOWN))
    return Stratum(shown, (draw(st.integers(0, shown[0])), draw(st.integers(0, shown[1]))))


def test_berkeley_admissions_1973_as_r_has_them() -> None:
    """mantelhaen.test(UCBAdmissions, correct=FALSE): X-squared = 1.5246, p-value = 0.2169."""
    men = [(825, 512), (560, 353), (325, 120), (417, 138), (191, 53), (373, 22)]  # applied, admitted
    women = [(108, 89), (25, 17), (593, 202), (375, 131), (393, 94), (341, 24)]
    departments = [Stratum((a, b), (c, d)) for (a, c), (b, d) in zip(men, women, strict=True)]
    test = mantel_haenszel(departments)
    assert test.z < 0
    assert test.z**2 == pytest.approx(1.5246, abs=5e-5)
    assert test.p == pytest.approx(0.2169, abs=5e-5)
    together = Stratum(
        (sum(a for a, _ in men), sum(b for b, _ in women)), (sum(c for _, c in men), sum(d for _, d in women))
    )
    assert mantel_haenszel([together]).z > 9  # Simpson's paradox: the other way, and certain of it


@given(strata())
def test_one_stratum_is_the_two_proportion_test(stratum: Stratum) -> None:
    (n, m), (a, b) = stratum.impressions, stratum.clicks
    pooled = (a + b) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    expected = (a / n - b / m) / error * math.sqrt(1 - 1 / (n + m)) if error else 0.0  # hypergeometric variance
    assert mantel_haenszel([stratum]).z == pytest.approx(expected, abs=1e-6)


@given(st.lists(strata(), min_size=1, max_size=6))
def test_laws(found: list[Stratum]) -> None:
    test = mantel_haenszel(found)
    swapped = mantel_haenszel(Stratum(s.impressions[::-1], s.clicks[::-1]) for s in found)
    assert swapped.z == pytest.approx(-test.z, abs=1e-6)
    assert swapped.p == pytest.approx(test.p)
    assert 0 <= test.p <= 1
    for stratum in found:
        down, up = stratum.room
        assert -down - 1e-9 <= stratum.excess <= up + 1e-9
    nothing, everything = Stratum((40, 2), (0, 0)), Stratum((3, 50), (3, 50))  # says nothing about the arms
    assert mantel_haenszel([*found, nothing, everything]).z == pytest.approx(test.z, abs=1e-6)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("clicks", "reliable"), [((0, 0), False), ((9, 0), False), ((10, 0), True), ((100, 100), False), ((95, 95), True)]
)
def test_reliable_is_what_could_have_been_five_clicks_otherwise(
    clicks: tuple[int, int], reliable: bool, order: int
) -> None:
    assert mantel_haenszel([Stratum((100, 100), clicks[::order])]).reliable is reliable


def test_no_strata() -> None:
    assert mantel_haenszel([]).p == 1
