"""What FP8 costs: greedy summaries of the shipped student in float32, and of its checkpoint read back, row by row."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from querygist.artifact.manifest import Manifest
from querygist.files import sha256_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from training.config import Config
from training.data import build_examples, example_io
from training.data.example_io import Example
from training.evaluate.outputs import Outputs
from training.fp8 import quality_report, readback, source_model
from training.generate.generator import Generated
from training.generate.transformers_generator import TransformersGenerator
from training.stable_random import draw

FP32, FP8 = "fp32", "fp8"

BATCH_SIZE = 4


def run(config: Config, chosen: Settings, checkpoint: Path, console: Console) -> None:
    """Write what is missing for `fp8.quality_rows` of the run's test rows, and the report. Raises QuerygistError."""
    test = config.work_dir / build_examples.FILES["test"]
    examples = spread(example_io.read(test), config.fp8.quality_rows, config.seed)
    models: dict[str, tuple[str, Callable[[], Any]]] = {
        FP32: (_adapter_hash(chosen), lambda: source_model.shipped_student(chosen)),
        FP8: (sha256_of(checkpoint / readback.WEIGHTS), lambda: readback.load(checkpoint)),
    }
    written = {}
    with _progress(console) as progress:
        for system, (digest, load) in models.items():
            outputs = Outputs(config.work_dir / "fp8", system, {"model": digest, "test": sha256_of(test)})
            _write_missing(system, outputs, examples, load, chosen, progress)
            written[system] = outputs.written
    compared = quality_report.compare(examples, written[FP32], written[FP8], seed=config.seed)
    folder = config.evaluate.folder / "fp8"
    quality_report.write(folder, compared, Manifest.load(chosen.weights_dir))
    console.print(f"quantize: {len(examples)} rows compared, {folder / quality_report.MARKDOWN}")


def spread(examples: Iterable[Example], rows: int, seed: int) -> list[Example]:
    """`rows` random examples, as many of each source as of the others while it has any."""
    sources: dict[str, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda one: draw(seed, "fp8 quality", one.id)):
        sources[example.source].append(example)
    places = [(place, source, one) for source, all_ in sources.items() for place, one in enumerate(all_)]
    return [one for _, _, one in sorted(places, key=lambda place: place[:2])[:rows]]


def _adapter_hash(chosen: Settings) -> str:
    manifest = Manifest.load(chosen.weights_dir)
    return f"{manifest.base.sha256} {manifest.adapter and manifest.adapter.sha256}"


def _write_missing(
    system: str,
    outputs: Outputs,
    examples: Sequence[Example],
    load: Callable[[], Any],
    chosen: Settings,
    progress: Progress,
) -> None:
    """Each batch is on disk before the next one: a run that was stopped goes on."""
    task = progress.add_task(system, total=len(examples))
    batches = [examples[start : start + BATCH_SIZE] for start in range(0, len(examples), BATCH_SIZE)]
    generator: TransformersGenerator | None = None
    for batch in batches:
        # Whole batches, so that a row is padded as it is for the other system.
        if outputs.missing(batch):
            generator = generator or _generator(system, load(), chosen)
            new: Mapping[str, Generated] = {
                example.id: one for example, (one,) in zip(batch, generator.generate(batch), strict=True)
            }
            for example in outputs.missing(batch):
                outputs.append(example, new[example.id])
        progress.advance(task, len(batch))


def _generator(system: str, model: Any, chosen: Settings) -> TransformersGenerator:
    manifest = Manifest.load(chosen.weights_dir)
    tokenizer = Tokenizer(chosen.weights_dir / manifest.tokenizer.file)
    return TransformersGenerator(model, tokenizer, manifest.identity("fp32"), name=system, batch_size=BATCH_SIZE)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
