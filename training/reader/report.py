"""The command `evaluate-reader`: the trained reader, and its int8, on the rows for choices and on validation rows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.reader.input_format import InputEncoder
from querygist.reader.pages import load_tokenizer
from training.config import Config
from training.reader import base, card, quantize
from training.reader.evaluation import Labelled, evaluate, labelled
from training.reader.model import Reader
from training.reader.rows import ReaderRow, read, validation_ids
from training.reader.scoring import Scorer
from training.reader.similarity import Similarity
from training.reader.stage import FOLDER
from training.reader.trainer import WEIGHTS
from training.stable_random import draw


def run(config: Config, console: Console) -> None:
    """Write report-<rows>-<weights>.json beside the weights, and print their first lines. Raises QuerygistError."""
    folder = config.work_dir / FOLDER
    if not (folder / WEIGHTS).exists():
        raise ConfigurationError(f"There is no {folder / WEIGHTS}. Run the reader stage first.")
    files = base.fetch(settings.load().cache_dir)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(config.student.bf16))
    tokenizer = InputEncoder(load_tokenizer(files.tokenizer))
    similarity = Similarity(base.load_encoder(files.weights), tokenizer, autocast)
    shipped = quantize.save(load_file(folder / WEIGHTS), folder)
    for title, items in _sets(config).items():
        for name, weights in {"float": load_file(folder / WEIGHTS), "int8": quantize.load(folder)}.items():
            model = Reader(base.load_encoder(files.weights))
            model.load_state_dict(weights)
            fused = None if title == "choices" else card.fusion_weights(folder)
            report = evaluate(items, Scorer(model, tokenizer, autocast), similarity, _path(folder, title, name), fused)
            show(report, f"{title}, {name}", console)
            if (title, name) == ("choices", "int8"):
                card.write(folder, report, shipped, files.tokenizer)


def show(report: dict[str, Any], title: str, console: Console) -> None:
    """Print what a report says of all sources together."""
    table = Table(
        "", "top-1 in answer", "ROUGE-2", title=f"{title}: {report['selection']['all']['rows']} answered rows"
    )
    for name, found in report["selection"]["all"].items():
        if name != "rows":
            table.add_row(name, str(found["top1"]), str(found["rouge2"]))
    console.print(table)
    for kind, found in report["refusals"].items():
        if kind not in ("threshold", "sources"):
            console.print(f"{kind}: AUC {found['auc']}, {found['refused']} % of {found['pages']} refused")
    console.print({name: found for name, found in report["calibration"].items() if name != "reliability"})


def _sets(config: Config) -> dict[str, list[Labelled]]:
    """Return the rows for choices and those of the split validation, with hard negatives from both's documents.

    Where `test_files` are set, the test rows instead: they are looked at once, when everything has been chosen.
    """
    rows = read(config.reader.files)
    chosen = validation_ids(config.reader.validation_file).rows if config.reader.validation_file else frozenset()
    choices = [row for row in rows if row.id in chosen]
    validation = [row for row in rows if row.split == "validation" and row.id not in chosen]
    pool: list[ReaderRow] = choices + validation
    sets = {"choices": labelled(choices, pool), "validation": labelled(validation, pool)}
    if config.reader.test_files:
        test = [row for row in read(config.reader.test_files) if row.split == "test"]
        sets = {"test": labelled(_first(test, config), test)}
    return sets


def _first(rows: Sequence[ReaderRow], config: Config) -> list[ReaderRow]:
    """Return at most `test_rows` rows of each source, drawn by their id."""
    counts: Counter[str] = Counter()
    found: list[ReaderRow] = []
    for row in sorted(rows, key=lambda row: draw(config.seed, "reader test", row.id)):
        counts[row.source] += 1
        if counts[row.source] <= config.reader.test_rows:
            found.append(row)
    return found


def _path(folder: Path, title: str, name: str) -> Path:
    return folder / f"report-{title}-{name}.json"
