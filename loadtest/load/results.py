"""Result of one summary that was asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import urllib3

from loadtest.load.traffic import Kind
from querygist.client import ProblemError
from querygist.schemas import Answer

GENERATIVE, QUOTE, EXTRACTIVE = "generative", "quote", "extractive"
"""Outcomes with an answer: by the model (also where the checker then preferred the quote), by a quote that was asked
for, by one that stands in."""

UNREACHABLE = "unreachable"

FAILURES = (urllib3.exceptions.HTTPError, ProblemError, ValueError, EOFError)
"""Raised where an answer does not come: see `outcome_of`."""

Since = Callable[[], float]
"""Seconds since the intended moment of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Seconds. `arrival` is the intended moment of its request, from the start of the run; `send_lag` how long after it
    the request was sent; `e2el` and `ttft` count from the intended moment too, so that waiting which a slow server
    imposes on the client is not forgotten (coordinated omission). `itl` is the mean time between pieces of text of one
    stream. `outcome`: one of those above, else what went wrong: a problem's type or the transport's.
    `gateway` is the place of the one that was asked, where there are several.
    """

    arrival: float
    send_lag: float
    e2el: float
    kind: Kind = "json"
    outcome: str = GENERATIVE
    cached: bool = False
    ttft: float | None = None
    itl: float | None = None
    gateway: int = 0

    @property
    def answered(self) -> bool:
        """True when an answer came, were it a quote that stands in."""
        return self.ok or self.outcome == EXTRACTIVE

    @property
    def ok(self) -> bool:
        """True when the answer is of the style that was asked for."""
        return self.outcome in {GENERATIVE, QUOTE}


class Timer:
    """Times one request, which is sent as soon as this is made; `arrival` as in `Result`."""

    def __init__(self, kind: Kind, arrival: float, since: Since) -> None:
        self.since = since
        self._result = partial(Result, kind=kind, arrival=arrival, send_lag=since())

    def answered(self, answer: Answer, now: float, pieces: Sequence[float] = ()) -> Result:
        """The result of an answer that was whole at `now` and whose `pieces` of text came at these times."""
        return self._result(
            e2el=now,
            outcome=_OUTCOMES_OF_REASONS.get(answer.reason, EXTRACTIVE),
            cached=answer.cached,
            ttft=pieces[0] if pieces else None,
            itl=(pieces[-1] - pieces[0]) / (len(pieces) - 1) if len(pieces) > 1 else None,
        )

    def failed(self, error: Exception) -> Result:
        """The result of a request that one of `FAILURES` ended just now."""
        return self._result(e2el=self.since(), outcome=outcome_of(error))


def outcome_of(error: Exception) -> str:
    """Name what went wrong: the service's problem type, the status of a proxy's page, or the transport's failure."""
    if isinstance(error, ProblemError):
        problem = error.problem
        return f"http-{problem.status}" if problem.type == "about:blank" else problem.type.rpartition(":")[2]
    return next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), "unreadable")


_OUTCOMES_OF_REASONS: Mapping[str | None, str] = {None: GENERATIVE, "checker": GENERATIVE, "asked": QUOTE}

_OUTCOMES: Mapping[type[Exception], str] = {
    urllib3.exceptions.NewConnectionError: UNREACHABLE,
    urllib3.exceptions.TimeoutError: "timeout",
    urllib3.exceptions.HTTPError: "connection",
    EOFError: "cut-off",
}
