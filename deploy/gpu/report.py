"""report.md and report.json: what was measured, and the verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.gpu.context import Plan
from deploy.gpu.criteria import MAX_DIFFERING, MAX_ROUGE2_LOSS, TARGET_MS, TARGET_RATE
from deploy.gpu.step_runner import Measured, StepResult
from querygist.evaluation.report_files import bounds, number, table, write

COLUMNS = {
    "sent": "sent",
    "failed": "failed",
    "e2el_mean_ms": "E2EL mean, ms",
    "e2el_p50_ms": "p50",
    "e2el_p95_ms": "p95",
    "e2el_p99_ms": "p99",
    "server_mean_ms": "server mean, ms",
    "tokens_mean": "tokens",
    "acceptance_rate": "accepted",
}
"""Columns of the latency table: keys of `latency.summary` and their headings."""


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict: green only when every step passed."""

    results: Sequence[StepResult]
    plan: Plan

    @property
    def verdict(self) -> str:
        """Green or red."""
        return "green" if self.results and all(one.status == "passed" for one in self.results) else "red"

    @property
    def sentence(self) -> str:
        """The verdict's reasons, for a person."""
        if self.verdict == "green":
            return f"{len(self.results)} steps passed; under {TARGET_MS:g} ms at {TARGET_RATE:g} requests a second."
        failed = [f"{one.name} failed: {one.detail.splitlines()[0]}" for one in self.results if one.status == "failed"]
        skipped = [one.name for one in self.results if one.status == "not run"]
        rest = f" Not run: {', '.join(skipped)}." if skipped else ""
        return f"{'; '.join(failed)}.{rest}"

    def write(self) -> Path:
        """Write both files, and return the Markdown's path."""
        measured = {one.name: one.measured for one in self.results}
        data = {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "target": {"e2el_mean_ms": TARGET_MS, "requests_per_second": TARGET_RATE},
            "plan": {name: str(value) for name, value in asdict(self.plan).items()},
            "steps": [asdict(one) for one in self.results],
        }
        return write(self.plan.out, "report", sections=self._sections(measured), data=data)

    def _sections(self, measured: dict[str, Measured]) -> list[str]:
        steps = [(one.name, one.status, f"{one.seconds:g}", _cell(one.detail or one.purpose)) for one in self.results]
        sections = [
            "# Acceptance of a GPU",
            f"**{self.verdict.title()}.** {self.sentence}",
            "\n".join(f"{key}: {value}  " for key, value in measured.get("machine", {}).items()),
            table(("step", "status", "seconds", "reason or purpose"), steps),
        ]
        if latency := measured.get("latency"):
            sections += _latency_sections(latency, self.plan)
        if "rouge2" in (rouge := measured.get("rouge", {})):
            scores = [
                (name, number(rouge[key]["fp8"], 2), number(rouge[key]["fp16"], 2), bounds(rouge[key]["loss"], 2))
                for name, key in (("ROUGE-2", "rouge2"), ("ROUGE-L", "rouge_l"))
            ]
            sections += [
                "## FP8 against FP16",
                f"F1 x 100 on {rouge['rows']} rows, and the loss with its 95 % interval (paired bootstrap); at most "
                f"{MAX_ROUGE2_LOSS:g} point of ROUGE-2 may be lost.",
                table(("", "FP8", "FP16", "loss"), scores),
            ]
        if "compared" in (equality := measured.get("equality", {})):
            sections += [
                "## Lookahead against plain greedy decoding",
                f"Share of {equality['rows']} rows that differ, one request at a time (at most {MAX_DIFFERING:.0%}).",
                "\n".join(f"- {name}: {one['differing']:.1%}" for name, one in equality["compared"].items()),
            ]
        return [section for section in sections if section]


def _latency_sections(latency: Measured, plan: Plan) -> list[str]:
    rows = [
        (engine, rate, *(None if one[key] is None else f"{one[key]:.4g}" for key in COLUMNS))
        for engine, rates in latency.items()
        for rate, one in rates.items()
    ]
    return [
        "## Latency",
        f"Open loop: Poisson arrivals for {plan.seconds:g} s at each rate after {plan.warm_up_seconds:g} s of warm-up, "
        f"prompts of {plan.rows.name} in turn, no KV reuse. E2EL is from when a request should have left to its whole "
        "answer, by one client on the same machine, without the gateway; server mean is the executor's own, from "
        "arrival to last token.",
        table(("engine", "requests/s", *COLUMNS.values()), rows),
    ]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
