"""The steps of an acceptance, run in order: each after those it needs, every one of them in the report."""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from deploy.gpu.context import AcceptanceContext
from querygist.errors import QuerygistError

Measured = dict[str, Any]
Status = Literal["passed", "failed", "not run"]


class StepFailed(QuerygistError):
    """A criterion is missed; `measured` is reported all the same."""

    def __init__(self, detail: str, measured: Measured) -> None:
        super().__init__(detail)
        self.measured = measured


@dataclass(frozen=True, slots=True)
class Step:
    """`run` returns what it measured, or raises QuerygistError when the step fails. Other exceptions fail it, too."""

    name: str
    purpose: str
    run: Callable[[AcceptanceContext], Measured]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of a step; `detail` is why it failed or was not run."""

    name: str
    purpose: str
    status: Status
    seconds: float = 0.0
    detail: str = ""
    measured: Measured = field(default_factory=dict)


def run(steps: Sequence[Step], context: AcceptanceContext, console: Console) -> list[StepResult]:
    """Run every step whose needs have passed. Tracebacks of unexpected exceptions go to work/errors.log."""
    context.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, StepResult] = {}
    for number, step in enumerate(steps, 1):
        missing = [name for name in step.needs if results[name].status != "passed"]
        if missing:
            result = StepResult(step.name, step.purpose, "not run", detail=f"it needs {', '.join(missing)}")
        else:
            with console.status(f"{number}/{len(steps)} {step.name}: {step.purpose}"):
                result = _run_one(step, context, context.work / "errors.log")
        results[step.name] = result
        color = {"passed": "green", "failed": "red", "not run": "yellow"}[result.status]
        why = f": {result.detail}" if result.detail else ""
        line = f"[{color}]{result.status}[/] {result.name} ({result.seconds:g} s){escape(why)}"
        console.print(line, highlight=False)
    return list(results.values())


def _run_one(step: Step, context: AcceptanceContext, errors: Path) -> StepResult:
    began = time.monotonic()
    detail, measured = "", {}
    try:
        measured = step.run(context)
    except StepFailed as error:
        detail, measured = error.detail, error.measured
    except QuerygistError as error:
        detail = error.detail
    except Exception as error:  # a step that broke has not passed, and the report must still be written
        detail = f"{type(error).__name__}: {error}. The traceback is in {errors}"
        with errors.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    status: Status = "failed" if detail else "passed"
    return StepResult(step.name, step.purpose, status, round(time.monotonic() - began, 2), detail, measured)
