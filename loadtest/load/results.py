"""What became of one summary that was asked for."""

from dataclasses import dataclass

from loadtest.load.traffic import Kind

GENERATIVE, EXTRACTIVE = "generative", "extractive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Seconds. `arrival` is the intended moment of its request, from the start of the run; `late` how long after it
    the request was sent; `latency` and `ttft` count from the intended moment too, so that waiting which a slow
    server imposes on the client is not forgotten (coordinated omission). `itl` is the mean time between pieces
    of text of one stream. `outcome`: the answer's method, else what went wrong: a problem's type or the transport's.
    """

    kind: Kind
    arrival: float
    send_lag: float
    e2el: float
    outcome: str
    cached: bool = False
    ttft: float | None = None
    itl: float | None = None

    @property
    def answered(self) -> bool:
        """Whether an answer came, by the model or the extract."""
        return self.outcome in {GENERATIVE, EXTRACTIVE}
