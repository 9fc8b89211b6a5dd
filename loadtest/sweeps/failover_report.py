"""A failover run on paper: failover.json, failover.png, report.md."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from matplotlib.figure import Figure

from loadtest.load.distribution import Distribution
from loadtest.load.plots import GREEN, GREY, RED, YELLOW
from loadtest.sweeps.failover import GENERATIVE, Failover
from querygist import json_files

JSON, PNG, MARKDOWN = "failover.json", "failover.png", "report.md"

_COLORS = {GENERATIVE: GREEN, "extractive": YELLOW}


def write(found: Failover, out: Path) -> None:
    """The three files."""
    out.mkdir(parents=True, exist_ok=True)
    json_files.save(out / JSON, found, indent=1)
    _figure(found).savefig(out / PNG, dpi=130)
    (out / MARKDOWN).write_text("\n".join(_markdown(found)), encoding="utf-8")


def verdict(found: Failover) -> str:
    """What the client noticed, in a sentence."""
    kept = found.not_generated <= found.held
    return (
        f"{found.not_generated} of {len(found.requests)} requests were not answered by the model; the killed servers "
        f"held {found.held} when they were killed: {'none' if kept else 'some'} beyond these were hurt."
    )


def _figure(found: Failover) -> Figure:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axis = figure.subplots()
    for outcome in found.outcomes:
        some = [one for one in found.requests if one.outcome == outcome]
        color = _COLORS.get(outcome, RED)
        axis.plot([one.arrival for one in some], [one.e2el for one in some], "o", color=color, label=outcome)
    for event in found.events:
        axis.axvline(event.moment, color=GREY, linewidth=1, linestyle=":" if event.what == "is back" else "-")
        axis.annotate(
            f"{event.server} {event.what}", (event.moment, 1), xycoords=("data", "axes fraction"),
            rotation=90, va="top", ha="right", fontsize=8,
        )  # fmt: skip
    axis.set(xlabel="when it was sent, s", ylabel="answered after, s", ylim=(0, None), xlim=(0, found.seconds))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left")
    return figure


def _markdown(found: Failover) -> Iterator[str]:
    yield "# A Triton and a gateway killed under load"
    yield ""
    yield (
        f"{found.size} gateways before {found.size} CPU Tritons with the real model, all on one machine "
        f"({found.processor}), {found.rate:g}/s (Poisson, seed {found.seed}) for {found.seconds:g} s. "
        "The client asks gateways in turn, and the next one where nobody listens; it sends nothing twice. Made by "
        "`python -m loadtest failover`."
    )
    yield ""
    yield verdict(found)
    yield ""
    yield "| from | on | requests | outcomes | p50 | worst |"
    yield "| --- | --- | --- | --- | --- | --- |"
    edges = [(0.0, "start"), *((event.moment, f"{event.server} {event.what}") for event in found.events)]
    for (begin, name), (end, _) in pairwise([*edges, (float("inf"), "")]):
        some = [one for one in found.requests if begin <= one.arrival < end]
        if some:
            outcomes = ", ".join(
                f"{outcome} {count}" for outcome, count in Counter(one.outcome for one in some).items()
            )
            latency = Distribution.of([one.e2el for one in some])
            worst = max(one.e2el for one in some)
            yield f"| {begin:.1f} s | {name} | {len(some)} | {outcomes} | {latency.p50:.2f} s | {worst:.2f} s |"
    yield ""
    for event in found.events:
        held = f", requests in it: {event.held}" if event.what == "killed" else ""
        yield f"- {event.moment:.1f} s: {event.server} {event.what}{held}."
    yield ""
    yield f"![Latency of each request, by when it was sent, and what became of it]({PNG})"
    yield ""
