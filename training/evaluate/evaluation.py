"""Stage `evaluate`: every system generates for the frozen files, and is measured beside baselines and control rows.

work_dir/evaluate/<system>-<hash>.jsonl     outputs, as they come: an evaluation that was stopped goes on
docs/results/<report>/                      evaluation.md, evaluation.json, plots
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from querygist.files import sha256_of
from training.config import Config, Examples, GeneratorConfig
from training.data import build_examples, choice_validation
from training.data.examples import Example, read_examples
from training.evaluate import report
from training.evaluate.baselines import BASELINES, CONTROLS
from training.evaluate.means import OVERALL
from training.evaluate.measures import Measured, measure
from training.evaluate.outputs import Outputs
from training.generate.resolve import create, name, resolve

_FILES: dict[Examples, tuple[str, ...]] = {
    "test": (build_examples.FILES["test"], build_examples.NEGATIVES_TEST),
    "choices": (choice_validation.FILE,),
}


def run(config: Config, console: Console) -> None:
    """Generate and measure what is missing, and write every report. Raises QuerygistError."""
    for title, one in config.evaluate.reports.items():
        files = [config.work_dir / file for file in _FILES[one.examples]]
        found = [example for file in files for example in read_examples(file)]
        hashes = {file.name: sha256_of(file) for file in files}
        examples = first_of_each(asking(found, one.max_words), one.rows)
        systems = {system: config.evaluate.systems[system] for system in (*config.evaluate.controls, *one.systems)}
        questions = hashes | {f"words of {source}": str(words) for source, words in one.max_words.items()}
        built = report.build(
            _measured(examples, systems, questions, config, console),
            controls=(*CONTROLS, *config.evaluate.controls),
            models={
                system: resolve(of, config).identity() for system, of in systems.items() if of.engine == "embedded"
            },
            commands=("python -m training evaluate --config training/configs/student.yaml",),
            seed=config.seed,
        )
        written = report.write(config.evaluate.folder / title, built)
        console.print(f"evaluate: {len(examples)} examples, {written}")


def asking(examples: Iterable[Example], words: Mapping[str, int]) -> Iterable[Example]:
    """Those of the sources in `words`, asked for so many; all as they are, if there are none; all for `OVERALL`."""
    if not words:
        return examples
    if OVERALL in words:
        return [replace(one, max_words=words.get(one.source, words[OVERALL])) for one in examples]
    return [replace(one, max_words=words[one.source]) for one in examples if one.source in words]


def first_of_each(examples: Iterable[Example], rows: int | None) -> list[Example]:
    """The first `rows` of each source and kind, or all of them."""
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.source, example.kind].append(example)
    return [example for group in groups.values() for example in group[:rows]]


def _measured(
    examples: Sequence[Example],
    systems: Mapping[str, GeneratorConfig],
    questions: Mapping[str, str],
    config: Config,
    console: Console,
) -> dict[str, list[Measured]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    found: dict[str, list[Measured]] = {}
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        for system, baseline in BASELINES.items():
            task = progress.track(examples, description=system)
            found[system] = [measure(example, baseline(example)) for example in task]
        for system, of in systems.items():
            made_from = {"generator": name(of, config), "in flight": str(of.concurrency), **questions}
            outputs = Outputs(config.work_dir / "evaluate", system, made_from)
            if missing := outputs.missing(examples):
                with closing(create(of, config)) as generator:
                    written = progress.track(generator.generate(missing), total=len(missing), description=system)
                    for example, (generated,) in zip(missing, written, strict=True):
                        outputs.append(example, generated)
            found[system] = [measure(example, outputs.found[example.id]) for example in examples]
    return found
