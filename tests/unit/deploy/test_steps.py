"""The order of an acceptance's steps, and what a failure does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from deploy.gpu import steps
from deploy.gpu.steps import Found, Result, Step, StepFailed
from querygist.errors import ConfigurationError

QUIET = Console(quiet=True)


def fails(error: Exception) -> Callable[[], Found]:
    def run() -> Found:
        raise error

    return run


def passes() -> Found:
    return {"number": 7}


def test_steps_run_in_order_and_tell_what_they_found(tmp_path: Path) -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[[], Found]:
        return lambda: order.append(name) or {"name": name}  # type: ignore[func-returns-value]

    results = steps.run(
        [Step("a", "first", noted("a")), Step("b", "second", noted("b"), ("a",))], QUIET, tmp_path / "errors.log"
    )
    assert order == ["a", "b"]
    assert [(one.name, one.status, one.found) for one in results] == [
        ("a", "passed", {"name": "a"}),
        ("b", "passed", {"name": "b"}),
    ]
    assert not (tmp_path / "errors.log").exists()


@pytest.mark.parametrize(
    ("error", "detail", "found"),
    [
        (ConfigurationError("no such folder"), "no such folder", {}),
        (StepFailed("too slow", {"ms": 80}), "too slow", {"ms": 80}),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero. The traceback is in", {}),
    ],
)
def test_a_failure_stops_what_needs_it_and_nothing_else(
    tmp_path: Path, error: Exception, detail: str, found: Found
) -> None:
    results = steps.run(
        [
            Step("first", "", passes),
            Step("broken", "", fails(error), ("first",)),
            Step("after", "", passes, ("broken",)),
            Step("after that", "", passes, ("after", "first")),
            Step("beside", "", passes, ("first",)),
        ],
        QUIET,
        tmp_path / "errors.log",
    )
    status = {one.name: one.status for one in results}
    assert status == {
        "first": "passed",
        "broken": "failed",
        "after": "not run",
        "after that": "not run",
        "beside": "passed",
    }
    broken, after, after_that = results[1:4]
    assert broken.detail.startswith(detail)
    assert broken.found == found
    assert (after.detail, after_that.detail) == ("it needs broken", "it needs after")


def test_nobody_expected_is_told_with_its_traceback(tmp_path: Path) -> None:
    [result] = steps.run([Step("x", "", fails(KeyError("k")))], QUIET, tmp_path / "errors.log")
    assert isinstance(result, Result)
    assert "Traceback" in (tmp_path / "errors.log").read_text()
