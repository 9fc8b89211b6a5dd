"""The command `evaluate-reader`: the reader in service on test rows, which nothing was chosen by."""

from rich.console import Console

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.artifact.reader_card import ReaderCard
from querygist.errors import ConfigurationError
from querygist.pipeline.fusion import Fusion
from training.config import Config
from training.reader import evaluation, report
from training.reader.read_pages import read_all
from training.reader.similarity import untouched

COMMAND = "python -m training evaluate-reader --config training/configs/reader.yaml"


def run(config: Config, console: Console) -> None:
    """Write docs/results/reader/test.md. Raises ConfigurationError when no reader is in service."""
    weights_dir = settings.load().weights_dir
    entry = Manifest.load(weights_dir).reader
    if entry is None:
        raise ConfigurationError(f"{weights_dir} has no reader. Run fit-fusion and export-reader first.")
    folder = weights_dir / entry.folder
    card = ReaderCard.load(folder)
    found = report.build(
        read_all(folder, evaluation.test(config)),
        Fusion.of(card.fusion),
        untouched(config),
        temperature=card.temperature,
        threshold=card.threshold,
        seed=config.seed,
    )
    title = f"The reader {card.version} on test rows"
    console.print(f"evaluate-reader: {report.write(config.reader.folder, 'test', title, COMMAND, found)}")
