"""The simulation against reality: the arrivals and lengths of a trace, with the measured costs of passes.

Nothing is fitted: the costs were measured without the gateway, the arrivals and lengths are the trace's, S and the
drafted tokens are its means. What the gateway itself takes (HTTP, cleaning, tokens) is not simulated.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from loadtest import plotting
from loadtest.capacity.cpu_costs import CpuCosts
from loadtest.capacity.record_trace import Trace
from loadtest.capacity.simulator import Batching, Request, simulate
from loadtest.load.statistics import Distribution
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table
from querygist.sizing.workload import constant

_PLOTS_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """One trace, measured and simulated: E2EL in seconds, request by request in order of arrival."""

    name: str
    rate: float
    failed: int
    tokens_per_pass: float
    batching: Batching
    measured: tuple[float, ...]
    simulated: tuple[float, ...]

    @property
    def error(self) -> float:
        """Of the simulated mean E2EL, relative to the measured."""
        return float(np.mean(self.simulated) / np.mean(self.measured)) - 1

    @property
    def correlation(self) -> float:
        """Pearson's, of the logarithms of E2ELs of the same requests: near 1 when the right ones are slow."""
        return float(np.corrcoef(np.log(self.measured), np.log(self.simulated))[0, 1])


def compare(name: str, trace: Trace, costs: CpuCosts, batching: Batching, *, seed: int) -> Comparison:
    """Simulate a trace. Its failed requests are not simulated: use one with few."""
    answered = sorted(trace.requests, key=lambda one: one.arrival + one.send_lag)
    arrivals = [Request(one.arrival + one.send_lag, one.prompt_tokens, one.output_tokens) for one in answered]
    tokens = 1 + round(trace.drafted_per_pass)
    decoder = constant("measured", min(trace.tokens_per_pass, float(tokens)), tokens)
    served = simulate(arrivals, costs.seconds, batching, decoder, seed=seed)
    in_order = sorted(served, key=lambda one: one.request.arrival)
    return Comparison(
        name=name,
        rate=trace.rate,
        failed=trace.failed,
        tokens_per_pass=trace.tokens_per_pass,
        batching=batching,
        measured=tuple(one.e2el for one in answered),
        simulated=tuple(one.send_lag + simulated.e2el for one, simulated in zip(answered, in_order, strict=True)),
    )


def write(compared: Sequence[Comparison], costs: CpuCosts, out: Path) -> Path:
    """Write OUT.json, OUT.md and OUT.png."""
    told = [
        asdict(one)
        | {"error": one.error, "correlation": one.correlation}
        | {name: asdict(Distribution.of(getattr(one, name))) for name in ("measured", "simulated")}
        for one in compared
    ]
    data = {"machine": costs.machine, "model": costs.model, "runs": told}
    sections, figures = _sections(compared, costs, out.stem), {out.stem: _figure(compared)}
    return report_files.write(out.parent, out.stem, sections=sections, data=data, figures=figures)


def _figure(compared: Sequence[Comparison]) -> Figure:
    columns = min(len(compared), _PLOTS_A_ROW)
    figure, panels = plotting.axes(columns, -(-len(compared) // columns), size=(4.2, 4))
    for axis, one in zip(panels, compared, strict=False):
        axis.scatter(one.measured, one.simulated, s=8, alpha=0.6)
        axis.axline((1, 1), slope=1, color="grey", linestyle=":", linewidth=1)
        axis.set(title=one.name, xlabel="measured, s", ylabel="simulated, s", xscale="log", yscale="log")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter("")
    for axis in panels[len(compared) :]:
        axis.remove()
    return figure


def _sections(compared: Sequence[Comparison], costs: CpuCosts, name: str) -> Iterator[str]:
    yield "# The simulation against the CPU engine under real load"
    yield (
        f"Costs of passes: {_pairs(costs.machine)}; {_pairs(costs.model)}. E2EL in seconds, from the intended moment "
        "of each request to its whole answer. Measured: through the gateway; simulated: engine and queue."
    )
    header = ["run", "requests/s", "requests", "failed", "S", "mean measured", "simulated", "error"]
    yield table([*header, "p50", "simulated", "p95", "simulated", "correlation"], map(_row, compared))
    yield f"![measured and simulated E2EL]({name}.png)"
    yield "Made by `python -m loadtest costs`, `python -m loadtest record`, `python -m loadtest validate`."


def _row(one: Comparison) -> list[object]:
    real, model = Distribution.of(one.measured), Distribution.of(one.simulated)
    means = [number(one.tokens_per_pass, 2), number(real.mean, 2), number(model.mean, 2), f"{one.error:+.0%}"]
    percentiles = [number(value, 2) for value in (real.p50, model.p50, real.p95, model.p95, one.correlation)]
    return [one.name, f"{one.rate:g}", len(one.measured), one.failed, *means, *percentiles]


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
