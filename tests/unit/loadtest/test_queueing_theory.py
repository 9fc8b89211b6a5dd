"""The closed forms: their special cases agree, and published values come out."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.loadtest.queueing_theory import md1_wait, mg1_wait, mm1_wait, mmc_wait, utilization

LOADS = st.floats(0.01, 0.99)
SERVICES = st.floats(1e-3, 10.0)


@given(LOADS, SERVICES)
def test_mm1_is_mmc_with_one_server(load: float, service: float) -> None:
    assert mm1_wait(load / service, service) == pytest.approx(mmc_wait(load / service, service, 1))


@given(LOADS, SERVICES)
def test_constant_service_halves_the_wait(load: float, service: float) -> None:
    assert md1_wait(load / service, service) == pytest.approx(mm1_wait(load / service, service) / 2)


@given(LOADS, SERVICES, st.floats(0.0, 10.0))
def test_variance_only_adds(load: float, service: float, variance: float) -> None:
    rate = load / service
    assert mg1_wait(rate, service, variance) - md1_wait(rate, service) == pytest.approx(
        rate * variance / (2 * (1 - load)), abs=1e-9
    )


@given(st.floats(0.01, 0.95), st.integers(1, 40))
def test_more_servers_at_the_same_load_wait_less(load: float, servers: int) -> None:
    assert mmc_wait(load * (servers + 1), 1.0, servers + 1) < mmc_wait(load * servers, 1.0, servers)


def test_known_values() -> None:
    # M/M/1 at 0.5: rho / (mu - lambda) = 1 s. M/M/2 at 0.75: the textbook's C(2, 1.5) = 9/14, over 2 (1 - 0.75).
    assert mm1_wait(0.5, 1.0) == pytest.approx(1.0)
    assert mmc_wait(1.5, 1.0, 2) == pytest.approx(9 / 14 / 0.5)


def test_an_overloaded_queue_has_no_end() -> None:
    assert md1_wait(1.0, 1.0) == mm1_wait(2.0, 1.0) == mmc_wait(3.0, 1.0, 3) == inf
    assert utilization(3.0, 1.0, 2) == 1.5
