"""The minutes of a suite: counted everywhere, enforced in CI."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.suites import MINUTES, Suites


def spent(suite: str, minutes: float) -> Suites:
    """A run in which the tests of a suite took so long."""
    suites = Suites()
    for _ in range(4):
        report: Any = SimpleNamespace(user_properties=[("suite", suite)], duration=15 * minutes)
        suites.pytest_runtest_logreport(report)
    return suites


@pytest.mark.parametrize(
    ("ci", "share", "status"),
    [("1", 3.1, pytest.ExitCode.TESTS_FAILED), ("1", 2.9, pytest.ExitCode.OK), ("", 3.1, pytest.ExitCode.OK)],
)
def test_a_suite_at_three_times_its_minutes_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, share: float, status: pytest.ExitCode
) -> None:
    monkeypatch.setenv("CI", ci)
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    spent("triton", share * MINUTES["triton"]).pytest_sessionfinish(session)
    assert session.exitstatus == status


def test_a_failed_run_keeps_its_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.INTERRUPTED)
    spent("fast", 4 * MINUTES["fast"]).pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.INTERRUPTED


def test_all_suites_together_stay_under_45_minutes() -> None:
    assert sum(MINUTES.values()) <= 45


def test_every_marker_of_the_suites_is_declared(pytestconfig: pytest.Config) -> None:
    declared = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert set(MINUTES) - {"fast"} <= declared


def test_this_test_is_of_the_fast_suite(request: pytest.FixtureRequest) -> None:
    assert ("suite", "fast") in request.node.user_properties
