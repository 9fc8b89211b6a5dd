"""Starting, serving, draining: what the probes tell and when the process may end."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """One process's life. `delay` and `budget` in seconds: after SIGTERM, go on for `delay` while load balancers
    notice that /readyz fails, then refuse new requests and wait at most `budget` for those in flight.
    """

    delay: float
    budget: float
    in_flight: int = 0
    _drain_began: float | None = None

    def begin_drain(self) -> None:
        """Called on the first SIGTERM or SIGINT."""
        if self._drain_began is None:
            self._drain_began = time.monotonic()

    @property
    def draining(self) -> bool:
        """True once the end has been announced: /readyz fails from here on."""
        return self._drain_began is not None

    @property
    def refusing(self) -> bool:
        """True while new requests are rejected."""
        return self._draining_for() > self.delay

    @property
    def drained(self) -> bool:
        """True when nothing is left to finish."""
        return self.refusing and self.in_flight == 0

    @property
    def expired(self) -> bool:
        """True when requests in flight have had all the time they get."""
        return self._draining_for() > self.delay + self.budget

    def _draining_for(self) -> float:
        return -1.0 if self._drain_began is None else time.monotonic() - self._drain_began
