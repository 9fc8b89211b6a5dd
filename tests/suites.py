"""The suites that `make check`, `make test` and `make test-all` are made of, and how many minutes each may take.

A test belongs to the first suite of `MINUTES` whose marker it has: by its folder, its fixtures, or a `pytestmark`. In
CI a suite that takes three times its budget fails the run, so that the checks stay ones that people run.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

MINUTES = {
    "slow": 10.0,  # Locust, Prometheus, Redis, a cluster of Tritons, the acceptance, the Dockerfile
    "fp8": 4.0,  # ModelOpt
    "training": 8.0,
    "smoke": 4.0,
    "triton": 7.0,
    "browser": 2.0,
    "embedded": 7.0,
    "fast": 3.0,  # all others: two processes share them
}
TESTS = Path(__file__).parent
PLACES = {
    "contract": "triton",
    "e2e": "browser",
    # Importing torch and peft takes as long as all other unit tests (`make fast` does not even collect these).
    "unit/training/evaluate": "training",
    "unit/training/export": "training",
    "unit/training/fp8": "training",
    "unit/training/generate": "training",
    "unit/training/lookahead": "training",
    "unit/training/preferences": "training",
    "unit/training/train": "training",
    "unit/training/test_fingerprint.py": "training",
    "unit/artifact/test_against_torch.py": "training",
    "unit/artifact/test_fetch.py": "embedded",  # pip, again and again
    "unit/triton_server/test_supervisor.py": "triton",  # a scripted server, waited for
    "unit/artifact/test_base_model.py": "embedded",  # these two export to OpenVINO and load what they exported
    "unit/artifact/test_built_model.py": "embedded",
}
"""Folders and files of tests, and the marker of all in them."""
FIXTURES = {"triton_installation": "triton", "embedded_server": "embedded"}


class Suites:
    """Marks every test with its suite, and adds up what the suites took."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark by folder and by fixture."""
        for item in items:
            fixtures = getattr(item, "fixturenames", ())
            place = item.path.relative_to(TESTS).as_posix()
            for mark in (mark for start, mark in PLACES.items() if place.startswith(start)):
                item.add_marker(mark)
            for mark in (mark for fixture, mark in FIXTURES.items() if fixture in fixtures):
                item.add_marker(mark)
            own = {mark.name for mark in item.iter_markers()}
            if place.startswith("process") and not own & MINUTES.keys():
                item.add_marker("slow")
                own.add("slow")
            item.user_properties.append(("suite", next((name for name in MINUTES if name in own), "fast")))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test's set-up, call or end; with xdist, in the process that reports."""
        self._seconds[str(dict(report.user_properties)["suite"])] += report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run in CI where a suite took three times its budget: machines differ by less."""
        if os.environ.get("CI") and self._beyond(3) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what each suite took."""
        for suite, seconds in self._seconds.most_common():
            terminalreporter.write_line(f"suite {suite}: {seconds / 60:.1f} of {MINUTES[suite]:g} minutes")
        for suite in self._beyond(1):
            terminalreporter.write_line(f"The suite {suite} takes longer than it may (tests/suites.py).", red=True)

    def _beyond(self, factor: float) -> list[str]:
        return [suite for suite, seconds in self._seconds.items() if seconds > factor * 60 * MINUTES[suite]]
