"""One run of a load test: sends every request at its moment, whatever became of the ones before."""

import time
from collections.abc import Callable

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]

from loadtest.load.client import GRACE_SECONDS, Connections, ask
from loadtest.load.options import Options
from loadtest.load.results import Result
from loadtest.load.statistics import Limits
from loadtest.load.traffic import Ask

DEFAULT_DEADLINE_SECONDS = 60.0
"""Waited for an answer where the objectives set no limit: the gateway's longest deadline by default."""

Fire = Callable[[Ask, list[Result]], None]


class LoadRun:
    """`fire` is told of each request's results. Raises ConfigurationError when the options cannot be run."""

    def __init__(self, options: Options, api_key: str, fire: Fire) -> None:
        self.options = options
        self.slo = options.objectives()
        self.results: list[Result] = []
        self._moments = options.moments()
        self._traffic = options.traffic()
        self._fire = fire
        limits = self.slo.in_time if self.slo else Limits()
        timeout = (limits.e2el or DEFAULT_DEADLINE_SECONDS) + GRACE_SECONDS
        headers = limits.headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        self._connections = Connections(options.host, headers, timeout)
        self._in_flight = Group()
        self._began = time.monotonic()
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds in which requests were sent, or could have been."""
        took = (time.monotonic() if self._ended is None else self._ended) - self._began
        return min(took, self.options.run_time or took)

    def send(self) -> None:
        """Send until there is no more to send, then do nothing until killed."""
        self._began = time.monotonic()
        for moment in self._moments:
            while (early := self._began + moment - time.monotonic()) > 0:  # gevent's timers may be early
                gevent.sleep(early)
            self._in_flight.spawn(self._one, self._traffic.draw(), moment)
        Event().wait()

    def finish(self) -> None:
        """Wait for the answers that are still to come."""
        self._ended = time.monotonic()
        self._in_flight.join()
        self._connections.close()

    def _one(self, wanted: Ask, arrival: float) -> None:
        due = self._began + arrival
        results = ask(self._connections, wanted, arrival=arrival, since=lambda: time.monotonic() - due)
        self.results += results
        self._fire(wanted, results)
