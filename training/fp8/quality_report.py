"""The report on FP8's cost: ROUGE of both systems and of their difference, and how often they write the very same."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from querygist.artifact.manifest import Manifest
from querygist.evaluation.rouge import NOTHING, Interval, Rouge, difference, interval, score
from querygist.files import replacing
from training.data.example_io import Example
from training.evaluate.measures import OVERALL, Share
from training.generate.generator import Generated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKDOWN, JSON, PLOT = "fp8.md", "fp8.json", "fp8.png"

ASSUMPTIONS = (
    "FP8 is simulated in float32 on a CPU from the exported checkpoint: weights, inputs of linear layers, keys and "
    "values are rounded to E4M3 with the checkpoint's scales.",
    "Not simulated: the float16 arithmetic of an engine between them, and FP8 in the attention itself "
    "(`--use_fp8_context_fmha`).",
    "Both systems write greedily with the same code, the same prompts and the same batches; no GPU was involved.",
)
COMMAND = "python -m training quantize --config training/configs/student.yaml"


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what both systems' summaries score (F1 x 100), and whether they are the same text.

    `refused`: whether float32, and whether FP8, said that the document does not answer; that scores 0.
    """

    id: str
    source: str
    fp32: Rouge
    fp8: Rouge
    same: bool
    refused: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Cost:
    """Means over rows with 95 % intervals. `lost2`, `lost_l`: of fp8 minus fp32, row by row."""

    same: Share
    fp32_refused: Share
    fp8_refused: Share
    fp32_2: Interval
    fp8_2: Interval
    lost2: Interval
    fp32_l: Interval
    fp8_l: Interval
    lost_l: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, and what they come to by source; `OVERALL` is last."""

    rows: tuple[Row, ...]
    costs: Mapping[str, Cost]


def compare(
    examples: Sequence[Example], fp32: Mapping[str, Generated], fp8: Mapping[str, Generated], *, seed: int
) -> Comparison:
    """Score at least one example with the outputs of both systems, by its id."""
    rows = tuple(_row(example, fp32[example.id], fp8[example.id]) for example in examples)
    groups = {source: [row for row in rows if row.source == source] for source in sorted({row.source for row in rows})}
    return Comparison(rows, {name: _cost(group, seed) for name, group in (groups | {OVERALL: list(rows)}).items()})


def _row(example: Example, one: Generated, other: Generated) -> Row:
    references = example.references or (example.summary,)
    before, after = (score(written.text, references) if written.text else NOTHING for written in (one, other))
    refused = (not one.answerable, not other.answerable)
    return Row(example.id, example.source, before, after, same=one.text == other.text, refused=refused)


def _cost(rows: Sequence[Row], seed: int) -> Cost:
    before2, after2 = [row.fp32.rouge2 for row in rows], [row.fp8.rouge2 for row in rows]
    before_l, after_l = [row.fp32.rouge_l for row in rows], [row.fp8.rouge_l for row in rows]
    return Cost(
        same=Share.of(row.same for row in rows),
        fp32_refused=Share.of(row.refused[0] for row in rows),
        fp8_refused=Share.of(row.refused[1] for row in rows),
        fp32_2=interval(before2, seed=seed),
        fp8_2=interval(after2, seed=seed),
        lost2=difference(after2, before2, seed=seed),
        fp32_l=interval(before_l, seed=seed),
        fp8_l=interval(after_l, seed=seed),
        lost_l=difference(after_l, before_l, seed=seed),
    )


def write(folder: Path, found: Comparison, manifest: Manifest) -> None:
    """Write the Markdown, the numbers and the plot."""
    model = {
        "name": manifest.name,
        "version": manifest.version,
        "adapter": manifest.adapter and manifest.adapter.sha256,
    }
    numbers = {"command": COMMAND, "assumptions": ASSUMPTIONS, "model": model, **asdict(found)}
    texts = {MARKDOWN: _markdown(found, manifest), JSON: json.dumps(numbers, indent=1) + "\n"}
    for name, text in texts.items():
        with replacing(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
    with replacing(folder / PLOT) as partial:
        _plot(found).savefig(partial, format="png", dpi=80, metadata={"Software": None})


def _markdown(found: Comparison, manifest: Manifest) -> str:
    adapter = manifest.adapter.sha256[:12] if manifest.adapter else "none"
    header = ["source", "rows", "same text", "refused fp32 / FP8", "ROUGE-2 fp32", "ROUGE-2 FP8", "difference"]
    header += ["ROUGE-L fp32", "ROUGE-L FP8", "difference"]
    lines = [
        "# What FP8 costs",
        "",
        f"{manifest.name} {manifest.version}, adapter {adapter}: greedy summaries in float32 and in FP8 (weights, "
        "activations, KV cache) of documents that answer; a refusal scores 0. ROUGE is F1 x 100; in brackets 95 % "
        "bootstrap intervals over rows, of the differences row by row.",
        "",
        f"    {COMMAND}",
        "",
        *_table(header, (_cells(name, cost) for name, cost in found.costs.items())),
        "",
        f"![ROUGE-2 in float32 and in FP8]({PLOT})",
        "",
        "Assumptions:",
        *(f"- {one}" for one in ASSUMPTIONS),
    ]
    return "\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _cells(name: str, cost: Cost) -> Sequence[str]:
    same = f"{cost.same.count} ({100 * (cost.same.share or 0):.0f} %)"
    rouge2 = (_bounds(cost.fp32_2), _bounds(cost.fp8_2), _bounds(cost.lost2, "+"))
    rouge_l = (_bounds(cost.fp32_l), _bounds(cost.fp8_l), _bounds(cost.lost_l, "+"))
    refused = f"{cost.fp32_refused.count} / {cost.fp8_refused.count}"
    return name, f"{cost.same.rows}", same, refused, *rouge2, *rouge_l


def _bounds(found: Interval, sign: str = "") -> str:
    mean, low, high = (f"{value:{sign}.1f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def _plot(found: Comparison) -> "Figure":
    """Each row's ROUGE-2 in both, a colour for each source; and the mean difference of each source."""
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than finding that all is done

    figure = Figure(figsize=(10, 4), layout="constrained")
    rows, means = figure.subplots(1, 2)
    for source in list(found.costs)[:-1]:
        of_it = [row for row in found.rows if row.source == source]
        rows.scatter([row.fp32.rouge2 for row in of_it], [row.fp8.rouge2 for row in of_it], s=12, label=source)
    rows.axline((0, 0), slope=1, color="grey", linestyle=":", linewidth=1)
    rows.set(xlabel="ROUGE-2, float32", ylabel="ROUGE-2, FP8", title="each row")
    rows.legend(fontsize=7)
    lost = [cost.lost2 for cost in found.costs.values()]
    spread = [[one.mean - one.low for one in lost], [one.high - one.mean for one in lost]]
    means.errorbar([one.mean for one in lost], range(len(lost)), xerr=spread, fmt="o")
    means.axvline(0, color="grey", linestyle=":", linewidth=1)
    means.set_yticks(range(len(lost)), list(found.costs), fontsize=8)
    means.set(xlabel="ROUGE-2, FP8 minus float32 (95 %)", title="means")
    return figure
