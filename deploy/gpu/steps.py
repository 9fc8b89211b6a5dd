"""The steps of an acceptance: run in order, each after those it needs, every one of them told in the report."""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from querygist.errors import QuerygistError

Found = dict[str, Any]
Status = Literal["passed", "failed", "not run"]


class StepFailed(QuerygistError):
    """A step that ran and found what must not be; `found` is what it measured all the same."""

    def __init__(self, detail: str, found: Found) -> None:
        super().__init__(detail)
        self.found = found


@dataclass(frozen=True, slots=True)
class Step:
    """`run` returns what was found. It raises QuerygistError when the step fails; any other exception fails it too."""

    name: str
    purpose: str
    run: Callable[[], Found]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step; `detail` is why it failed or was not run."""

    name: str
    purpose: str
    status: Status
    seconds: float = 0.0
    detail: str = ""
    found: Found = field(default_factory=dict)


def run(steps: Sequence[Step], console: Console, errors: Path) -> list[Result]:
    """Run them all; one failure does not keep those from running that do not need it.

    The traceback of what nobody expected goes to the file `errors`.
    """
    results: dict[str, Result] = {}
    for number, step in enumerate(steps, 1):
        missing = [name for name in step.needs if results[name].status != "passed"]
        if missing:
            results[step.name] = Result(step.name, step.purpose, "not run", detail=f"it needs {', '.join(missing)}")
        else:
            with console.status(f"{number}/{len(steps)} {step.name}: {step.purpose}"):
                results[step.name] = _one(step, errors)
        _tell(results[step.name], console)
    return list(results.values())


def _one(step: Step, errors: Path) -> Result:
    began = time.monotonic()
    detail, found = "", {}
    try:
        found = step.run()
    except StepFailed as error:
        detail, found = error.detail, error.found
    except QuerygistError as error:
        detail = error.detail
    except Exception as error:  # a step that broke has not passed, and the report must still be written
        detail = f"{type(error).__name__}: {error}. The traceback is in {errors}"
        with errors.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    status: Status = "failed" if detail else "passed"
    return Result(step.name, step.purpose, status, round(time.monotonic() - began, 2), detail, found)


def _tell(result: Result, console: Console) -> None:
    color = {"passed": "green", "failed": "red", "not run": "yellow"}[result.status]
    why = f": {result.detail}" if result.detail else ""
    console.print(f"[{color}]{result.status}[/] {result.name} ({result.seconds:g} s){escape(why)}", highlight=False)
