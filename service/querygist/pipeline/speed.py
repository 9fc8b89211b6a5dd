"""Speed of work, learnt from the work that was done."""

SMOOTHING = 0.2
"""Weight of the newest request in the moving average of a place's speed."""


class Speed:
    """Cost a second of one place, as a moving average."""

    def __init__(self) -> None:
        self._value: float | None = None

    def learn(self, cost: float, seconds: float, *, finished: bool) -> None:
        """Of work that was cut off only this is known: its place was at most this fast."""
        speed = cost / max(seconds, 1e-3)
        if self._value is None:
            self._value = speed if finished else None
        elif finished or speed < self._value:
            self._value += SMOOTHING * (speed - self._value)

    def seconds(self, cost: float) -> float | None:
        """Return the seconds that so much takes; None before the first work has shown it."""
        return None if self._value is None else cost / self._value
