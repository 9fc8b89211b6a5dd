"""A failover run as Markdown, JSON and a plot."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from pathlib import Path

from matplotlib.figure import Figure

from loadtest import plotting
from loadtest.load.results import EXTRACTIVE, GENERATIVE
from loadtest.load.statistics import Distribution
from loadtest.sweeps.failover import BACK, KILLED, Failover
from querygist.evaluation import report_files
from querygist.evaluation.report_files import table

NAME, PAGE = "failover", "report"

_COLORS = {GENERATIVE: plotting.GREEN, EXTRACTIVE: plotting.YELLOW}


def write(found: Failover, out: Path) -> Path:
    """Write report.md, failover.json and failover.png."""
    figures = {NAME: _figure(found)}
    return report_files.write(out, NAME, sections=_sections(found), data=found, figures=figures, markdown=PAGE)


def verdict(found: Failover) -> str:
    """What the client noticed, in a sentence."""
    kept = found.not_generated <= found.held
    return (
        f"{found.not_generated} of {len(found.requests)} requests were not answered by the model; the killed servers "
        f"held {found.held} when they were killed: {'none' if kept else 'some'} beyond these were hurt."
    )


def _figure(found: Failover) -> Figure:
    figure, [axis] = plotting.axes(1, size=(11, 4.2))
    for outcome in found.outcomes:
        some = [one for one in found.requests if one.outcome == outcome]
        color = _COLORS.get(outcome, plotting.RED)
        axis.plot([one.arrival for one in some], [one.e2el for one in some], "o", color=color, label=outcome)
    for event in found.events:
        axis.axvline(event.moment, color=plotting.GREY, linewidth=1, linestyle=":" if event.what == BACK else "-")
        axis.annotate(
            f"{event.server} {event.what}", (event.moment, 1), xycoords=("data", "axes fraction"),
            rotation=90, va="top", ha="right", fontsize=8,
        )  # fmt: skip
    plotting.finish(axis, xlabel="when it was sent, s", ylabel="E2EL, s", ylim=(0, None), xlim=(0, found.seconds))
    return figure


def _sections(found: Failover) -> Iterator[str]:
    yield "# A Triton and a gateway killed under load"
    yield (
        f"{found.size} gateways before {found.size} CPU Tritons with the real model, all on one machine "
        f"({found.processor}), {found.rate:g}/s (Poisson, seed {found.seed}) for {found.seconds:g} s. "
        "The client asks gateways in turn, and the next one where nobody listens; it sends nothing twice. Made by "
        "`python -m loadtest failover`."
    )
    yield verdict(found)
    yield table(["from", "on", "requests", "outcomes", "E2EL p50", "worst"], _phases(found))
    yield "\n".join(
        f"- {event.moment:.1f} s: {event.server} {event.what}"
        + (f", requests in it: {event.held}." if event.what == KILLED else ".")
        for event in found.events
    )
    yield f"![E2EL of each request, by when it was sent, and what became of it]({NAME}.png)"


def _phases(found: Failover) -> Iterator[list[object]]:
    """A row for the requests between an event and the next."""
    edges = [(0.0, "start"), *((event.moment, f"{event.server} {event.what}") for event in found.events)]
    for (begin, name), (end, _) in pairwise([*edges, (inf, "")]):
        some = [one for one in found.requests if begin <= one.arrival < end]
        if some:
            outcomes = Counter(one.outcome for one in some).items()
            e2el = [one.e2el for one in some]
            told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes)
            yield [f"{begin:.1f} s", name, len(some), told, f"{Distribution.of(e2el).p50:.2f} s", f"{max(e2el):.2f} s"]
