"""Stage `label`: a teacher writes summaries for queries and documents that have none.

work_dir/
    labels.jsonl                the best summary of each document that has a good one
    labels-report.json          the counts of what was asked, and of what became of it
    label.fingerprint.json
    label/shard-00042.jsonl     one line a document; a run that was stopped goes on with the shards that are not there
    label/metrics.jsonl         one line a shard
    label/made_from.json        what the shards were made from; those made from something else are thrown away
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.files import replacing, sha256_of
from training import fingerprint, stable_random
from training.config import Config, LabelConfig
from training.data import build_examples
from training.data.examples import Example, write_examples
from training.generate import label_filters, unlabelled
from training.generate.generator import Generator, Sampling
from training.generate.label_on_ray import Shard, on_ray

LABELS, REPORT, FINGERPRINT = "labels.jsonl", "labels-report.json", "label.fingerprint.json"

GeneratorFactory = Callable[[], Generator]


def run(config: Config, console: Console, generator_factory: GeneratorFactory) -> None:
    """Label, unless it is done; from the first missing shard on. Raises QuerygistError.

    The factory is called once here and, on Ray, where it must be picklable, once in each actor.
    """
    recipe, folder = config.label, config.work_dir
    with contextlib.ExitStack() as stack:
        teacher = stack.enter_context(contextlib.closing(generator_factory()))
        made_from = _made_from(config, teacher.name)
        if fingerprint.matches(folder / FINGERPRINT, made_from):
            console.print(f"label: already done, in {folder}")
            return
        asked, repeated = unlabelled.unlabelled(recipe, folder)
        paths = _shard_paths(folder / "label", math.ceil(len(asked) / recipe.shard_size), made_from)
        todo = [
            {
                "number": number,
                "asked": json.dumps([asdict(one) for one in asked[start : start + recipe.shard_size]]),
            }
            for number, start in enumerate(range(0, len(asked), recipe.shard_size))
            if not paths[number].exists()
        ]
        if recipe.ray:
            stack.close()  # the actors bring teachers of their own
            done = on_ray(todo, Labeller, (generator_factory, recipe, config.seed))
        else:
            labeller = Labeller(lambda: teacher, recipe, config.seed)
            done = map(labeller, todo)
        _keep(done, paths, len(todo), console)
    found = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").split("\n") if line]
    write_examples(folder / LABELS, (_example(row["label"]) for row in found if row["label"]))
    report = label_filters.count(found, teacher.name, repeated)
    json_files.save(folder / REPORT, report, indent=1)
    fingerprint.write(folder / FINGERPRINT, made_from, [folder / LABELS, folder / REPORT])
    kept = report["documents"][label_filters.KEPT]
    console.print(f"label: {kept} of {len(found)} documents labelled, in {folder / LABELS}")


class Labeller:
    """A teacher and the filters: the plain loop calls it, and Ray Data as an actor."""

    def __init__(self, generator_factory: GeneratorFactory, recipe: LabelConfig, seed: int) -> None:
        self._generator = generator_factory()
        self._recipe = recipe
        self._seed = seed

    def __call__(self, shard: Shard) -> Shard:
        """Label a shard: `number` and `asked` in, `number`, `lines` and `metrics` out."""
        began, number = time.monotonic(), int(shard["number"])
        examples = [_example(fields) for fields in json.loads(shard["asked"])]
        seed = int(stable_random.draw(self._seed, "shard", number) * (1 << 31))
        sampling = Sampling(self._recipe.num_generations, self._recipe.temperature, seed)
        lines, tokens = [], 0
        for example, samples in zip(examples, self._generator.generate(examples, sampling), strict=True):
            lines.append(label_filters.select_label(example, samples, self._recipe, self._seed))
            tokens += sum(sample.tokens for sample in samples)
        metrics = {
            "shard": number,
            "documents": len(lines),
            "kept": sum(line["outcome"] == label_filters.KEPT for line in lines),
            "tokens": tokens,
            "seconds": round(time.monotonic() - began, 3),
        }
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return {"number": number, "lines": text, "metrics": json.dumps(metrics)}


def _example(fields: Mapping[str, Any]) -> Example:
    return Example(**{**fields, "references": ()})


def _made_from(config: Config, teacher: str) -> dict[str, str]:
    """All that the labels depend on. Raises ConfigurationError when an input is not there."""
    recipe = config.label
    inputs = [*recipe.files, config.work_dir / build_examples.FILES["test" if recipe.files else "train"]]
    try:
        hashes = {str(path): sha256_of(path) for path in inputs}
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read {error.filename}: {error.strerror}. Run the data stage, and set label.files to your rows."
        ) from error
    return {
        **hashes,
        "teacher": teacher,
        "config": fingerprint.sha256_of_text(
            f"{recipe.model_dump_json(exclude={'ray'})} {config.seed} {config.prompt_version}"
        ),
        "code": fingerprint.sha256_of_code(__name__),
    }


def _shard_paths(folder: Path, count: int, made_from: dict[str, str]) -> list[Path]:
    """The shards' files; what is in the folder from another input, teacher or config is deleted."""
    told = json.dumps(made_from, indent=2) + "\n"
    marker = folder / "made_from.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not marker.exists() or marker.read_text(encoding="utf-8") != told:
        for old in [*folder.glob("shard-*.jsonl"), folder / "metrics.jsonl"]:
            old.unlink(missing_ok=True)
        with replacing(marker) as partial:
            partial.write_text(told, encoding="utf-8")
    return [folder / f"shard-{number:05d}.jsonl" for number in range(count)]


def _keep(done: Iterator[Shard], paths: Sequence[Path], todo: int, console: Console) -> None:
    """Write shards as they come, in whatever order."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("labelling, in shards", total=len(paths), completed=len(paths) - todo)
        for shard in done:
            path = paths[shard["number"]]
            with (path.parent / "metrics.jsonl").open("a", encoding="utf-8") as log:
                log.write(shard["metrics"] + "\n")
            with replacing(path) as partial:
                partial.write_text(shard["lines"], encoding="utf-8")
            progress.advance(task)
