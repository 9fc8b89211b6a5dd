"""Stage `data`: rows of public data sets to what the student learns from and is measured by.

`training.data.build_examples` decides about each row. Here the files are written, once for the same input, config and
code.
"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.prompting.tokenizer import Tokenizer
from training import fingerprint
from training.config import Config
from training.data import dataset_card
from training.data.build_examples import ExampleBuilder
from training.data.examples import write_examples
from training.data.truncation import Truncator

FINGERPRINT = "data.fingerprint.json"


def run(config: Config, console: Console) -> None:
    """Make the files in `config.work_dir`, unless they are there already. Raises ConfigurationError."""
    weights = settings.load().weights_dir
    manifest = Manifest.load(weights)
    folder, made_from = config.work_dir, _made_from(config, manifest)
    if fingerprint.matches(folder / FINGERPRINT, made_from):
        console.print(f"data: already done, in {folder}")
        return
    limit = min(manifest.context.prompt, config.data.max_prompt_tokens or manifest.context.prompt)
    tokenizer = Tokenizer(weights / manifest.tokenizer.file)
    truncator = Truncator(tokenizer, config.prompt_version, limit, config.seed)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        builder = ExampleBuilder(config, truncator, progress)
        files = builder.build()
        for name, examples in files.items():
            write_examples(folder / name, examples)
        task = progress.add_task("data card", total=sum(map(len, files.values())))
        card = dataset_card.write(folder, files, builder.stats, tokenizer, lambda: progress.advance(task))
    fingerprint.write(folder / FINGERPRINT, made_from, [*(folder / name for name in files), *card])
    counts = ", ".join(f"{len(examples)} {name.removesuffix('.jsonl')}" for name, examples in files.items())
    console.print(f"data: {counts}, in {folder}")


def _made_from(config: Config, manifest: Manifest) -> dict[str, str]:
    """Return hashes of all that the outputs depend on."""
    try:
        inputs = {str(path): sha256_of(path) for path in config.data.files}
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the data file {error.filename}: {error.strerror}. Set data.files to where your rows are."
        ) from error
    return {
        **inputs,
        "config": fingerprint.sha256_of_text(config.data.model_dump_json() + str(config.seed)),
        "held out": sha256_of(config.choices.frozen) if config.choices.frozen.exists() else "none",
        "model": fingerprint.sha256_of_text(f"{manifest.tokenizer.sha256} {config.prompt_version} {manifest.context}"),
        "code": fingerprint.sha256_of_code(__name__),
    }
