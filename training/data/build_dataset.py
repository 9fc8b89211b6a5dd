"""Stage `data`: rows of public data sets to what the student learns from and is measured by.

Read and clean, licences, duplicates and leaks, fewer fragments, grow, windows, negatives:
`training.data.build_examples`. Here the files are written, once for the same input, config and code.
"""

from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.pipeline import attribution
from querygist.prompting import prompt_builder, sentence_markers, templates
from querygist.prompting.tokenizer import Tokenizer
from querygist.text import cleaning, passages, sentences
from training import fingerprint, stable_random
from training.config import Config
from training.data import (
    bm25,
    build_examples,
    dataset_card,
    deduplication,
    extend_targets,
    licences,
    negatives,
    raw_dataset,
    truncation,
)
from training.data.examples import write_examples

RECEIPT = "data.receipt.json"
_CODE: tuple[ModuleType, ...] = (
    *(
        bm25,
        dataset_card,
        deduplication,
        extend_targets,
        licences,
        negatives,
        build_examples,
        raw_dataset,
        stable_random,
        truncation,
    ),
    *(cleaning, attribution, sentence_markers, passages, templates, sentences, prompt_builder),
)


def run(config: Config, console: Console) -> None:
    """Make the files in `config.work_dir`, unless they are there already. Raises ConfigurationError."""
    weights = settings.load().weights_dir
    manifest = Manifest.load(weights)
    folder = config.work_dir
    made_from = _made_from(config, manifest)
    if fingerprint.holds(folder / RECEIPT, made_from):
        console.print(f"data: already done, in {folder}")
        return
    limit = min(manifest.context.prompt, config.data.max_prompt_tokens or manifest.context.prompt)
    tokenizer = Tokenizer(weights / manifest.tokenizer.file)
    cutter = truncation.Windows(tokenizer, config.prompt_version, limit, config.seed)
    with _progress(console) as progress:
        result = build_examples.prepare(config, cutter, progress)
        outputs = []
        for name, found in result.examples.items():
            write_examples(folder / name, found)
            outputs.append(folder / name)
        task = progress.add_task("data card", total=sum(map(len, result.examples.values())))
        outputs += dataset_card.write(
            folder, result.examples, result.account, tokenizer, lambda: progress.advance(task)
        )
    fingerprint.write(folder / RECEIPT, made_from, outputs)
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
        "config": fingerprint.sha256_of_text(config.data.model_dump_json() + str(config.seed)),
        "model": fingerprint.sha256_of_text(f"{manifest.tokenizer.sha256} {config.prompt_version} {manifest.context}"),
        "code": fingerprint.sha256_of_text(code),
    }


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
