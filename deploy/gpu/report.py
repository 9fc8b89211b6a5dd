"""report.md, report.json and latency.png: what was found, and the verdict."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from deploy.gpu.plan import MOST_DIFFERING, MOST_ROUGE2_LOST, TARGET_MS, TARGET_RATE, Plan
from deploy.gpu.steps import Found, Result

MARKDOWN, JSON, PLOT = "report.md", "report.json", "latency.png"

COLUMNS = (
    "sent",
    "failed",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "server_mean_ms",
    "tokens_mean",
    "acceptance_rate",
)


@dataclass(frozen=True, slots=True)
class Report:
    """Green only when every step passed."""

    results: Sequence[Result]
    plan: Plan

    @property
    def green(self) -> bool:
        """The verdict."""
        return bool(self.results) and all(one.status == "passed" for one in self.results)

    @property
    def sentence(self) -> str:
        """The verdict, for a person."""
        if self.green:
            return f"{len(self.results)} steps passed; under {TARGET_MS:g} ms at {TARGET_RATE:g} requests a second."
        failed = [one for one in self.results if one.status == "failed"]
        skipped = [one.name for one in self.results if one.status == "not run"]
        rest = f" Not run: {', '.join(skipped)}." if skipped else ""
        return "; ".join(f"{one.name} failed: {one.detail.splitlines()[0]}" for one in failed) + f".{rest}"

    def write(self, folder: Path) -> None:
        """Write the three files; the plot where latency was measured."""
        found = {one.name: one.found for one in self.results}
        told = {
            "verdict": "green" if self.green else "red",
            "sentence": self.sentence,
            "target": {"mean_ms": TARGET_MS, "requests_per_second": TARGET_RATE},
            "plan": {name: str(value) for name, value in asdict(self.plan).items()},
            "steps": [asdict(one) for one in self.results],
        }
        (folder / JSON).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        if found.get("latency"):
            _plot(found["latency"], folder / PLOT)
        (folder / MARKDOWN).write_text("\n".join(self._lines(found)) + "\n", encoding="utf-8")

    def _lines(self, found: dict[str, Found]) -> list[str]:
        machine = found.get("machine", {})
        lines = [
            "# Acceptance of a GPU",
            "",
            f"**{'Green' if self.green else 'Red'}.** {self.sentence}",
            "",
            *([f"{key}: {value}" + "  " for key, value in machine.items()]),
            "",
            "| step | status | seconds | what it says |",
            "| --- | --- | --- | --- |",
            *(
                f"| {one.name} | {one.status} | {one.seconds:g} | {_cell(one.detail or one.purpose)} |"
                for one in self.results
            ),
            "",
        ]
        if found.get("latency"):
            lines += [*_latency_lines(found["latency"], self.plan), "", f"![latency]({PLOT})", ""]
        if "rouge2" in found.get("rouge", {}):
            lines += [*_rouge_lines(found["rouge"]), ""]
        if "compared" in found.get("equality", {}):
            lines += [*_equality_lines(found["equality"]), ""]
        return lines


def _latency_lines(measured: Found, plan: Plan) -> list[str]:
    return [
        "## Latency",
        "",
        f"Open loop: Poisson arrivals for {plan.seconds:g} s at each rate after {plan.warm_up_seconds:g} s of warm-up, "
        f"prompts of {plan.rows.name} in turn, no KV reuse; from when a request should have left to its whole answer, "
        "by one client on the same machine, without the gateway. `server_mean_ms` is the executor's own, from arrival "
        "to last token.",
        "",
        f"| engine | requests/s | {' | '.join(COLUMNS)} |",
        f"| --- | --- | {' | '.join('---' for _ in COLUMNS)} |",
        *(
            f"| {engine} | {rate} | {' | '.join(_number(one[column]) for column in COLUMNS)} |"
            for engine, rates in measured.items()
            for rate, one in rates.items()
        ),
    ]


def _rouge_lines(found: Found) -> list[str]:
    return [
        "## FP8 against FP16",
        "",
        f"ROUGE F1 x 100 on {found['rows']} rows, and the 95 % interval of what is lost (paired bootstrap); at most "
        f"{MOST_ROUGE2_LOST:g} point of ROUGE-2 may be.",
        "",
        "| | FP8 | FP16 | lost | 95 % |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {one['fp8']:.2f} | {one['fp16']:.2f} | {one['lost']:.2f} | "
            f"{one['lost_95'][0]:.2f} to {one['lost_95'][1]:.2f} |"
            for name, one in ((name, found[name]) for name in ("rouge2", "rouge_l"))
        ),
    ]


def _equality_lines(found: Found) -> list[str]:
    return [
        "## Lookahead against plain greedy decoding",
        "",
        f"Share of {found['rows']} rows that differ, one request at a time; at most {MOST_DIFFERING:.0%} may.",
        "",
        *(f"- {name}: {one['differing']:.1%}" for name, one in found["compared"].items()),
    ]


def _plot(measured: Found, path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharex=True)
    for axis, column, title in zip(axes, ("mean_ms", "p99_ms"), ("mean", "p99"), strict=True):
        for engine, rates in measured.items():
            axis.plot([float(rate) for rate in rates], [one[column] for one in rates.values()], "o-", label=engine)
        axis.axhline(TARGET_MS, color="#888888", linestyle="--", linewidth=1)
        axis.set(xlabel="requests a second", ylabel=f"latency, {title}, ms", ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
