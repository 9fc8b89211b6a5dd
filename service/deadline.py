"""One monotonic deadline, handed from the header through queue, engine and stream."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A moment on this process's monotonic clock, in seconds. Comparable only within the process."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative once passed."""
        return self.at - time.monotonic()

    def earlier(self, seconds: float) -> "Deadline":
        """The same deadline, with `seconds` kept in reserve."""
        return Deadline(self.at - seconds)
