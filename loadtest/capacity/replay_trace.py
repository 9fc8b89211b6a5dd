"""The simulation against reality: the arrivals and lengths of a recorded run, with the measured costs of passes.

Nothing is fitted: the costs were measured without the gateway, the arrivals and lengths are the run's, S and the
drafted tokens are its means. What the gateway itself takes (HTTP, cleaning, tokens) is not simulated.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from json import dumps
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from loadtest.capacity.cpu_costs import CpuCosts
from loadtest.capacity.record_trace import Run
from loadtest.capacity.simulator import Batching, Request, simulate
from loadtest.load.distribution import Distribution
from querygist.sizing.workload import constant

_PLOTS_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run, measured and simulated, request by request in order of arrival."""

    name: str
    rate: float
    failed: int
    tokens_per_pass: float
    batching: Batching
    measured: tuple[float, ...]
    simulated: tuple[float, ...]

    @property
    def error(self) -> float:
        """Of the simulated mean latency, relative to the measured."""
        return float(np.mean(self.simulated) / np.mean(self.measured)) - 1

    @property
    def correlation(self) -> float:
        """Pearson's, of the logarithms of latencies of the same requests: whether the right ones are slow."""
        return float(np.corrcoef(np.log(self.measured), np.log(self.simulated))[0, 1])


def compare(name: str, run: Run, costs: CpuCosts, batching: Batching, *, seed: int) -> Comparison:
    """Simulate a recorded run. Its failed requests are not simulated: use a run with few."""
    answered = sorted(run.requests, key=lambda one: one.arrival + one.send_lag)
    arrivals = [Request(one.arrival + one.send_lag, one.prompt_tokens, one.output_tokens) for one in answered]
    tokens = 1 + round(run.drafted_per_pass)
    decoder = constant("measured", min(run.tokens_per_pass, float(tokens)), tokens)
    served = sorted(
        simulate(arrivals, costs.seconds, batching, decoder, seed=seed), key=lambda one: one.request.arrival
    )
    return Comparison(
        name=name,
        rate=run.rate,
        failed=run.failed,
        tokens_per_pass=run.tokens_per_pass,
        batching=batching,
        measured=tuple(one.e2el for one in answered),
        simulated=tuple(one.send_lag + served_one.e2el for one, served_one in zip(answered, served, strict=True)),
    )


def write(compared: Sequence[Comparison], costs: CpuCosts, out: Path) -> None:
    """OUT.json, OUT.md and OUT.png."""
    out.parent.mkdir(parents=True, exist_ok=True)
    told = [
        asdict(one)
        | {"error": one.error, "correlation": one.correlation}
        | {name: asdict(Distribution.of(getattr(one, name))) for name in ("measured", "simulated")}
        for one in compared
    ]
    machine = {"machine": dict(costs.machine), "model": dict(costs.model)}
    out.with_suffix(".json").write_text(dumps(machine | {"runs": told}, indent=1) + "\n")
    out.with_suffix(".md").write_text(_markdown(compared, costs, out))
    columns = min(len(compared), _PLOTS_A_ROW)
    rows = -(-len(compared) // columns)
    figure = Figure(figsize=(4.2 * columns, 4 * rows), layout="constrained")
    for place, one in enumerate(compared, 1):
        axis = figure.add_subplot(rows, columns, place, title=one.name, xlabel="measured, s")
        axis.scatter(one.measured, one.simulated, s=8, alpha=0.6)
        axis.axline((1, 1), slope=1, color="grey", linestyle=":", linewidth=1)
        axis.set(xscale="log", yscale="log", ylabel="simulated, s")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter("")
    figure.savefig(out.with_suffix(".png"), dpi=130)


def _markdown(compared: Sequence[Comparison], costs: CpuCosts, out: Path) -> str:
    lines = [
        "# The simulation against the CPU engine under real load",
        "",
        f"Costs of passes: {_pairs(costs.machine)}; {_pairs(costs.model)}. Latency in seconds, from the intended "
        "moment of each request to its whole answer. Measured: through the gateway; simulated: engine and queue.",
        "",
        "| run | requests/s | requests | failed | S | mean measured | simulated | error | p50 | simulated | p95 "
        "| simulated | correlation |",
        "|" + " --- |" * 13,
    ]
    for one in compared:
        real, model = Distribution.of(one.measured), Distribution.of(one.simulated)
        lines.append(
            f"| {one.name} | {one.rate:g} | {len(one.measured)} | {one.failed} | {one.tokens_per_pass:.2f} "
            f"| {real.mean:.2f} | {model.mean:.2f} | {one.error:+.0%} | {real.p50:.2f} | {model.p50:.2f} "
            f"| {real.p95:.2f} | {model.p95:.2f} | {one.correlation:.2f} |"
        )
    remake = "`python -m loadtest costs`, `python -m loadtest record`, `python -m loadtest validate`"
    return "\n".join([*lines, "", f"![measured and simulated latency]({out.stem}.png)", "", f"Made by {remake}.", ""])


def _pairs(values: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in dict(values).items())  # type: ignore[call-overload]
