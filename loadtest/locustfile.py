"""Load tests with Locust: `locust -f loadtest/locustfile.py --host http://127.0.0.1:8000 --rate 2 --run-time 60s`.

Locust's users wait for an answer before they ask again, so a slow server gets fewer requests and its latency looks
better than it is. Here one Locust user stands for all searchers: its task is the schedule, which sends each request in
a greenlet of its own at a moment drawn beforehand. Rows of Locust's statistics, web page and --csv: POST and SSE from
the intended moment to the whole answer, TTFT to a stream's first text, ITL the mean time between its pieces, RESULT
to each line of a results page. Answers by the extract are no failures there; the report tells them apart.
"""

from argparse import Namespace
from typing import ClassVar

import gevent  # type: ignore[import-untyped]
from locust import User, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import DistributedRunner

from loadtest.load import report
from loadtest.load.options import Options
from loadtest.load.report import Report
from loadtest.load.results import Result
from loadtest.load.runner import LoadRun
from loadtest.load.traffic import Ask
from querygist import command_line
from querygist.errors import QuerygistError

_ROWS = {"json": "POST", "stream": "SSE", "page": "RESULT"}


class Searchers(User):
    """All of them: there is one, whatever --users says."""

    fixed_count = 1
    current: ClassVar[LoadRun | None] = None
    """Set when a run begins; None when it cannot be run."""
    report: ClassVar[Report | None] = None
    """Printed once Locust is done."""

    @task
    def search(self) -> None:
        """Send everything; Locust kills this when the run time is over."""
        if self.current is None:
            raise StopUser
        self.current.send()

    def on_stop(self) -> None:
        """Wait for the answers to what was sent."""
        if self.current:
            self.current.finish()


events.init_command_line_parser.add_listener(Options.register)  # type: ignore[no-untyped-call]


@events.init.add_listener  # type: ignore[untyped-decorator]
def check(environment: Environment, **_: object) -> None:
    """Refuse what could not be run, before anything is started."""
    if isinstance(environment.runner, DistributedRunner):
        command_line.fail(
            "One process keeps the schedule. For more load run several, each with its share of --rate and a --seed of "
            "its own: Poisson streams add up to one."
        )
    environment.stop_timeout = 0  # not needed: Searchers.on_stop waits
    parsed = _parsed(environment)
    if parsed.headless:
        try:
            parsed.run_time = _run_of(environment).options.run_time or None  # a trace's own, where none was given
        except QuerygistError as error:
            command_line.fail(error.detail)
    # Locust starts the run time's timer next, at the moment when gevent last looked at the clock: seconds ago.
    gevent.get_hub().loop.update_now()


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: object) -> None:
    """A new run with the options of the command line, or of the web page."""
    try:
        Searchers.current = _run_of(environment)
    except QuerygistError as error:  # what was typed into the web page
        Searchers.current = None
        command_line.tell(error.detail)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def conclude(environment: Environment, **_: object) -> None:
    """The files, the verdict and the exit code."""
    if (run := Searchers.current) is None:  # ended before it began
        return
    try:
        made = Report.of(run.options, run.slo, run.results, run.seconds)
    except QuerygistError as error:
        command_line.tell(error.detail)
        environment.process_exit_code = 1
        return
    report.write(made, run.results)
    if made.verdicts:  # else Locust decides
        environment.process_exit_code = 0 if made.kept else 1
    if _parsed(environment).headless:
        Searchers.report = made
    else:
        report.say(made)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def stop(environment: Environment, **_: object) -> None:
    """After Ctrl-C too there is a report; Locust looks at the exit code right after this."""
    if environment.runner:
        environment.runner.stop()


@events.quit.add_listener  # type: ignore[untyped-decorator]
def tell(**_: object) -> None:
    """Below Locust's own tables."""
    if Searchers.report:
        report.say(Searchers.report)


def _run_of(environment: Environment) -> LoadRun:
    parsed = _parsed(environment)
    chosen = Options.of(parsed, environment.host)
    return LoadRun(chosen, parsed.api_key, lambda wanted, results: _fire(environment, wanted, results))


def _parsed(environment: Environment) -> Namespace:
    return environment.parsed_options or Namespace()


def _fire(environment: Environment, wanted: Ask, results: list[Result]) -> None:
    """Tell Locust, in its unit: milliseconds."""
    rows: list[tuple[str, float | None, str | None]] = []
    for result in results:
        failure = None if result.answered else result.outcome
        rows += [(_ROWS[wanted.kind], result.e2el, failure), ("TTFT", result.ttft, None), ("ITL", result.itl, None)]
    if wanted.kind == "page":
        rows.append(("POST", max(result.e2el for result in results), None))
    for kind, seconds, failure in rows:
        if seconds is not None:
            environment.events.request.fire(  # type: ignore[no-untyped-call]
                request_type=kind, name=wanted.path, response_time=1000 * seconds, response_length=0,
                exception=None if failure is None else RuntimeError(failure), context={},
            )  # fmt: skip
