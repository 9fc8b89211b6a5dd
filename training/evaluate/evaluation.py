"""Stage `evaluate`: every system writes for the frozen test files, and is measured beside the baselines.

work_dir/evaluate/<system>-<hash>.jsonl     outputs, as they come: an evaluation that was stopped goes on
docs/results/<report>/                      evaluation.md, evaluation.json, plots
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from querygist.artifact.manifest import Manifest
from querygist.files import sha256_of
from training.config import Config
from training.data import build_examples, example_io
from training.data.example_io import Example
from training.evaluate import report
from training.evaluate.baselines import BASELINES, FALLBACK
from training.evaluate.measures import Measured, measure
from training.evaluate.outputs import Outputs
from training.generate.generator import Generated
from training.generate.resolve import chosen, create, name
from training.sections import ReportConfig, WriterConfig


def run(config: Config, console: Console) -> None:
    """Write and measure what is missing, and every report. Raises QuerygistError."""
    test = [
        example
        for file in (build_examples.FILES["test"], build_examples.NEGATIVES_TEST)
        for example in example_io.read(config.work_dir / file)
    ]
    for title, one in config.evaluate.reports.items():
        folder = config.evaluate.folder / title
        examples = first_of_each(asking(test, one.asked), one.rows)
        found = report.build(
            _measured(examples, one, config, console),
            fallback=FALLBACK,
            models={
                system: Manifest.load(chosen(of, config).weights_dir).identity(chosen(of, config).precision)
                for system, of in _systems(one, config).items()
                if of.engine == "embedded"
            },
            commands=("python -m training evaluate --config training/configs/student.yaml",),
            seed=config.seed,
        )
        folder.mkdir(parents=True, exist_ok=True)
        report.write(folder, found)
        console.print(f"evaluate: {len(examples)} examples, {folder / report.MARKDOWN}")


def asking(examples: Iterable[Example], words: Mapping[str, int]) -> Iterable[Example]:
    """Those of the sources in `words`, asked for so many; all as they are, if there are none."""
    if not words:
        return examples
    return [replace(one, max_words=words[one.source]) for one in examples if one.source in words]


def first_of_each(examples: Iterable[Example], rows: int | None) -> list[Example]:
    """The first `rows` of each source and kind, or all of them."""
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.source, example.kind].append(example)
    return [example for group in groups.values() for example in group[:rows]]


def _systems(one: ReportConfig, config: Config) -> dict[str, WriterConfig]:
    return {system: config.evaluate.systems[system] for system in one.systems}


def _measured(
    examples: Sequence[Example], one: ReportConfig, config: Config, console: Console
) -> dict[str, list[Measured]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    found: dict[str, list[Measured]] = {}
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        for system, baseline in BASELINES.items():
            task = progress.track(examples, description=system)
            found[system] = [measure(example, baseline(example)) for example in task]
        for system, of in _systems(one, config).items():
            written = _written(system, of, one.asked, examples, config, progress)
            found[system] = [measure(example, written[example.id]) for example in examples]
    return found


def _written(
    system: str,
    of: WriterConfig,
    asked: Mapping[str, int],
    examples: Sequence[Example],
    config: Config,
    progress: Progress,
) -> dict[str, Generated]:
    """The system's outputs; those that are not there yet are written now."""
    made_from = {
        "generator": name(of, config),
        "in flight": str(of.in_flight),
        **{f"words of {source}": str(words) for source, words in asked.items()},
        **{
            file: sha256_of(config.work_dir / file)
            for file in (build_examples.FILES["test"], build_examples.NEGATIVES_TEST)
        },
    }
    outputs = Outputs(config.work_dir / "evaluate", system, made_from)
    missing = outputs.missing(examples)
    if missing:
        generator = create(of, config)
        try:
            task = progress.track(generator.generate(missing), total=len(missing), description=system)
            for example, (written,) in zip(missing, task, strict=True):
                outputs.append(example, written)
        finally:
            generator.close()
    return dict(outputs.written)
