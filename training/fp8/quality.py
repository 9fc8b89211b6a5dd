"""Cost of FP8: greedy summaries of the shipped student in float32, and of its checkpoint read back, row by row."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from querygist.artifact.manifest import Manifest
from querygist.evaluation import report_files
from querygist.evaluation.report_files import bounds, table
from querygist.files import sha256_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from training.config import Config
from training.data import build_examples
from training.data.examples import Example, read_examples
from training.evaluate.differences import differences
from training.evaluate.means import OVERALL, Quality, RougeMeans, Share, aggregate
from training.evaluate.measures import Measured, measure
from training.evaluate.outputs import Outputs, spread
from training.fp8 import readback, source_model
from training.generate.generator import Generated
from training.generate.transformers_generator import TransformersGenerator
from training.stable_random import draw

FP32, FP8 = "fp32", "fp8"
BATCH_SIZE = 4
NAME = "fp8"
COMMAND = "python -m training quantize --config training/configs/student.yaml"
ASSUMPTIONS = (
    "FP8 is simulated in float32 on a CPU from the exported checkpoint: weights, inputs of linear layers, keys and "
    "values are rounded to E4M3 with the checkpoint's scales.",
    "Not simulated: the float16 arithmetic of an engine between them, and FP8 in the attention itself "
    "(`--use_fp8_context_fmha`).",
    "Both systems generate greedily with the same code, the same prompts and the same batches; no GPU was involved.",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the rows of a source: how many texts are the same, each system's means, and fp8's less fp32's, row by row."""

    same: Share
    fp32_refused: Share
    fp8_refused: Share
    fp32: Quality
    fp8: Quality
    difference: RougeMeans


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows in both systems, and what they come to by source; `OVERALL` is last."""

    fp32: Sequence[Measured]
    fp8: Sequence[Measured]
    costs: Mapping[str, Cost]


def run(config: Config, service: Settings, checkpoint: Path, console: Console) -> None:
    """Generate what is missing for `fp8.quality_rows` test rows, and write the report. Raises QuerygistError."""
    test = config.work_dir / build_examples.FILES["test"]
    examples = choose_rows(read_examples(test), config.fp8.quality_rows, config.seed)
    manifest = Manifest.load(service.weights_dir)
    models: dict[str, tuple[str, Callable[[], Any]]] = {
        FP32: (str(manifest.identity("fp32")), lambda: source_model.shipped_student(service)),
        FP8: (sha256_of(checkpoint / readback.WEIGHTS), lambda: readback.load(checkpoint)),
    }
    found = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        for system, (digest, load) in models.items():
            outputs = Outputs(config.work_dir / "fp8", system, {"model": digest, "test": sha256_of(test)})
            _generate_missing(system, outputs, examples, load, service, progress)
            found[system] = outputs.found
    compared = compare(examples, found[FP32], found[FP8], seed=config.seed)
    written = write(config.evaluate.folder / "fp8", compared, manifest)
    console.print(f"quantize: {len(examples)} rows compared, {written}")


def choose_rows(examples: Iterable[Example], count: int, seed: int) -> list[Example]:
    """`count` random examples, as many of each source as of the others while it has any."""
    return spread(sorted(examples, key=lambda one: (one.source, draw(seed, "fp8 quality", one.id))), count)


def compare(
    examples: Sequence[Example], fp32: Mapping[str, Generated], fp8: Mapping[str, Generated], *, seed: int
) -> Comparison:
    """Score at least one example with the outputs of both systems, by its id."""
    before, after = ([measure(one, outputs[one.id]) for one in examples] for outputs in (fp32, fp8))
    means, others, lost = (
        aggregate(before, seed=seed),
        aggregate(after, seed=seed),
        differences(after, before, seed=seed),
    )
    costs = {}
    for source, one in means.items():
        other = others[source]
        same = Share.of(
            fp32[each.id].text == fp8[each.id].text for each in examples if source in (each.source, OVERALL)
        )
        assert one.quality is not None  # noqa: S101  test rows are positives
        assert other.quality is not None  # noqa: S101
        refused = one.refusals.positive, other.refusals.positive
        costs[source] = Cost(same, *refused, one.quality, other.quality, lost[source].rouge)
    return Comparison(before, after, costs)


def write(folder: Path, found: Comparison, manifest: Manifest) -> Path:
    """Write the Markdown and the numbers; return the Markdown's path."""
    adapter = manifest.adapter and manifest.adapter.sha256
    model = {"name": manifest.name, "version": manifest.version, "adapter": adapter}
    data = {"command": COMMAND, "assumptions": ASSUMPTIONS, "model": model, **asdict(found)}
    return report_files.write(folder, NAME, sections=_sections(found, manifest), data=data)


def _generate_missing(
    system: str,
    outputs: Outputs,
    examples: Sequence[Example],
    load: Callable[[], Any],
    service: Settings,
    progress: Progress,
) -> None:
    """Each batch is on disk before the next one: a run that was stopped goes on."""
    task = progress.add_task(system, total=len(examples))
    generator: TransformersGenerator | None = None
    for start in range(0, len(examples), BATCH_SIZE):
        batch = examples[start : start + BATCH_SIZE]
        # Whole batches, so that a row is padded as it is for the other system.
        if missing := outputs.missing(batch):
            generator = generator or _generator(system, load(), service)
            new = {example.id: one for example, (one,) in zip(batch, generator.generate(batch), strict=True)}
            for example in missing:
                outputs.append(example, new[example.id])
        progress.advance(task, len(batch))


def _generator(system: str, model: Any, service: Settings) -> TransformersGenerator:
    manifest = Manifest.load(service.weights_dir)
    tokenizer = Tokenizer(service.weights_dir / manifest.tokenizer.file)
    return TransformersGenerator(model, tokenizer, manifest.identity("fp32"), name=system, batch_size=BATCH_SIZE)


def _sections(found: Comparison, manifest: Manifest) -> Iterator[str]:
    adapter = manifest.adapter.sha256[:12] if manifest.adapter else "none"
    rouge2, rouge_l = ((f"{metric} fp32", f"{metric} FP8", "difference") for metric in ("ROUGE-2", "ROUGE-L"))
    yield "# What FP8 costs"
    yield (
        f"{manifest.name} {manifest.version}, adapter {adapter}: greedy summaries in float32 and in FP8 (weights, "
        "activations, KV cache) of documents that answer; a refusal scores 0. ROUGE is F1 x 100; in brackets 95 % "
        "bootstrap intervals over rows, of the differences row by row."
    )
    yield f"    {COMMAND}"
    header = ("source", "rows", "same text", "refused fp32 / FP8", *rouge2, *rouge_l)
    yield table(header, (_row(source, cost) for source, cost in found.costs.items()))
    yield "\n".join(["Assumptions:", *(f"- {one}" for one in ASSUMPTIONS)])


def _row(source: str, cost: Cost) -> Sequence[object]:
    before, after, lost = cost.fp32.rouge, cost.fp8.rouge, cost.difference
    return (
        *(source, cost.same.rows, f"{cost.same.count} ({100 * (cost.same.share or 0):.0f} %)"),
        f"{cost.fp32_refused.count} / {cost.fp8_refused.count}",
        *(bounds(before.rouge2), bounds(after.rouge2), bounds(lost.rouge2, sign="+")),
        *(bounds(before.rouge_l), bounds(after.rouge_l), bounds(lost.rouge_l, sign="+")),
    )
