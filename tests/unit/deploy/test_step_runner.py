"""The order of an acceptance's steps, and what a failure does."""

from collections.abc import Callable

import pytest
from rich.console import Console

from deploy.gpu import accept, step_runner
from deploy.gpu.context import AcceptanceContext
from deploy.gpu.step_runner import Measured, Step, StepFailed
from querygist.errors import ConfigurationError

QUIET = Console(quiet=True)


def fails(error: Exception) -> Callable[[AcceptanceContext], Measured]:
    def run(context: AcceptanceContext) -> Measured:
        raise error

    return run


def passes(context: AcceptanceContext) -> Measured:
    return {"number": 7}


def test_every_step_comes_after_those_it_needs() -> None:
    before: set[str] = set()
    for step in accept.STEPS:
        assert set(step.needs) <= before, step.name
        before.add(step.name)


@pytest.mark.parametrize(
    ("error", "detail", "measured"),
    [
        (ConfigurationError("no such folder"), "no such folder", {}),
        (StepFailed("too slow", {"ms": 80}), "too slow", {"ms": 80}),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero. The traceback is in", {}),
    ],
)
def test_a_failure_stops_what_needs_it_and_nothing_else(
    context: AcceptanceContext, error: Exception, detail: str, measured: Measured
) -> None:
    results = step_runner.run(
        [
            Step("first", "", passes),
            Step("broken", "", fails(error), ("first",)),
            Step("after", "", passes, ("broken",)),
            Step("after that", "", passes, ("after", "first")),
            Step("beside", "", passes, ("first",)),
        ],
        context,
        QUIET,
    )
    assert [(one.name, one.status) for one in results] == [
        ("first", "passed"),
        ("broken", "failed"),
        ("after", "not run"),
        ("after that", "not run"),
        ("beside", "passed"),
    ]
    first, broken, after, after_that, _ = results
    assert first.measured == {"number": 7}
    assert broken.detail.startswith(detail)
    assert broken.measured == measured
    assert (after.detail, after_that.detail) == ("it needs broken", "it needs after")


def test_an_unexpected_exception_leaves_its_traceback(context: AcceptanceContext) -> None:
    [result] = step_runner.run([Step("x", "", fails(KeyError("k")))], context, QUIET)
    assert result.status == "failed"
    assert "Traceback" in (context.work / "errors.log").read_text()
