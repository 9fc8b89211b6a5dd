"""The stage `reader`: rows to examples, examples to a trained reader, and its export."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from safetensors.torch import load_file

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.reader.input_format import InputEncoder
from querygist.reader.pages import load_tokenizer
from training.config import Config
from training.reader import base, examples_file
from training.reader.examples import Example, augmented
from training.reader.mixture import Mixture
from training.reader.model import Reader
from training.reader.rows import ReaderRow, read, validation_ids, without
from training.reader.similarity import Similarity
from training.reader.trainer import WEIGHTS, ReaderTrainer

FOLDER = "reader"
_EXAMPLES, _VECTORS = "examples.npz", "similarity.npz"


def run(config: Config, console: Console) -> None:
    """Train the reader, from the last checkpoint on if there is one. Raises QuerygistError."""
    folder = config.work_dir / FOLDER
    if (folder / WEIGHTS).exists():
        console.print(f"{FOLDER}: already done, {folder / WEIGHTS}")
        return
    files = base.fetch(settings.load().cache_dir)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(config.student.bf16))
    tokenizer = InputEncoder(load_tokenizer(files.tokenizer))
    examples = _examples(tokenizer, config, folder / _EXAMPLES)
    console.print(f"{len(examples)} examples, {sum(map(len, examples)):,} tokens")
    similarity = Similarity(base.load_encoder(files.weights), tokenizer, autocast)
    similarity.load(folder / _VECTORS)
    similarity.add(text for example in examples for text in (example.query, *example.texts))
    similarity.save(folder / _VECTORS)
    torch.manual_seed(config.seed)
    model = Reader(base.load_encoder(files.weights))
    if config.reader.init_from is not None:
        model.load_state_dict(load_file(config.reader.init_from))
    trainer = ReaderTrainer(
        model,
        config.reader,
        folder,
        seed=config.seed,
        steps=min(config.reader.max_steps or sys.maxsize, len(examples) // config.reader.batch_size),
        autocast=autocast,
        made_from=_made_from(config, examples),
    )
    console.print(f"{FOLDER}: {trainer.run(examples, similarity)}")


def training_rows(config: Config) -> list[ReaderRow]:
    """Return the rows to learn from: of the split `train`, none of a document that is for choices."""
    rows = read(config.reader.files)
    held_out = [row for row in rows if row.split == "validation"]
    if config.reader.validation_file is not None:
        ids = validation_ids(config.reader.validation_file)
        held_out += [row for row in rows if row.id in ids.rows | ids.excluded]
    found = without([row for row in rows if row.split == "train"], held_out)
    if not found:
        raise ConfigurationError("There is no row of the split train in reader.files.")
    return found


def _examples(tokenizer: InputEncoder, config: Config, path: Path) -> list[Example]:
    """Return the examples of a run: those in the file, or made and written there."""
    if not path.exists():
        mixture = Mixture(training_rows(config), config.reader, config.seed)
        with _progress("pages", config.reader.examples) as advance:
            pages = list(mixture.draw(advance))
        with _progress("examples", len(pages)) as advance:
            examples_file.save(augmented(pages, tokenizer, config.seed, advance=advance), path)
    return examples_file.load(path)


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    with Progress() as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


def _made_from(config: Config, examples: Sequence[Example]) -> dict[str, str]:
    """Return what a run follows from, for the trainer."""
    seen = sha256()
    for example in examples:
        for values in (example.ids, example.types, example.places, example.answers, np.int8(example.page)):
            seen.update(values.tobytes())
    return {
        "examples": seen.hexdigest(),
        "recipe": config.reader.model_dump_json(
            exclude={
                *("files", "validation_file", "init_from", "test_files", "test_rows", "sources", "save_seconds"),
                *("folder", "false_refusals", "listed_weight", "start_share"),
            }
        ),
        "seed": str(config.seed),
        "base": sha256_of(config.reader.init_from) if config.reader.init_from else base.WEIGHTS.sha256,
    }
