"""Stage `data`: rows of public data sets to what the student learns from and is measured by.

Read and clean, licences, duplicates and leaks, fewer fragments, grow, windows, negatives: `training.prepare`. Here the
files are written, once for the same input, config and code.
"""

from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import documents, grounding, labels, passages, prompt, sentences, settings, window
from service.errors import ConfigurationError
from service.model.files import sha256_of
from service.model.manifest import Manifest
from service.tokenization import Tokenizer
from training import (
    bm25,
    card,
    dataset,
    duplicates,
    grow,
    licences,
    negatives,
    prepare,
    receipt,
    rows,
    seeding,
    windows,
)
from training.config import Config

RECEIPT = "data.receipt.json"
_CODE: tuple[ModuleType, ...] = (
    *(bm25, card, dataset, duplicates, grow, licences, negatives, prepare, rows, seeding, windows),
    *(documents, grounding, labels, passages, prompt, sentences, window),
)


def run(config: Config, console: Console) -> None:
    """Make the files in `config.work_dir`, unless they are there already. Raises ConfigurationError."""
    weights = settings.load().weights_dir
    manifest = Manifest.load(weights)
    folder = config.work_dir
    made_from = _made_from(config, manifest)
    if receipt.holds(folder / RECEIPT, made_from):
        console.print(f"data: already done, in {folder}")
        return
    limit = min(manifest.context.prompt, config.data.max_prompt_tokens or manifest.context.prompt)
    tokenizer = Tokenizer(weights / manifest.tokenizer.file)
    cutter = windows.Windows(tokenizer, config.prompt_version, limit, config.seed)
    with _progress(console) as progress:
        result = prepare.prepare(config, cutter, progress)
        outputs = []
        for name, found in result.examples.items():
            dataset.write(folder / name, found)
            outputs.append(folder / name)
        task = progress.add_task("data card", total=sum(map(len, result.examples.values())))
        outputs += card.write(folder, result.examples, result.account, tokenizer, lambda: progress.advance(task))
    receipt.write(folder / RECEIPT, made_from, outputs)
    counts = ", ".join(f"{len(found)} {name.removesuffix('.jsonl')}" for name, found in result.examples.items())
    console.print(f"data: {counts}, in {folder}")


def _made_from(config: Config, manifest: Manifest) -> dict[str, str]:
    """All that the outputs depend on."""
    try:
        inputs = {str(path): sha256_of(path) for path in config.data.files}
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the data file {error.filename}: {error.strerror}. Set data.files to where your rows are."
        ) from error
    code = "".join(sha256_of(Path(module.__file__ or "")) for module in _CODE) + sha256_of(Path(__file__))
    return {
        **inputs,
        "config": receipt.sha256_of_text(config.data.model_dump_json() + str(config.seed)),
        "model": receipt.sha256_of_text(f"{manifest.tokenizer.sha256} {config.prompt_version} {manifest.context}"),
        "code": receipt.sha256_of_text(code),
    }


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
