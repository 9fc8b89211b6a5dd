"""Stage `export-reader`: the fitted reader into the weights folder of the service, and into its manifest."""

import json
import shutil

from rich.console import Console

from querygist import settings
from querygist.artifact.manifest import MANIFEST_FILE, Manifest
from querygist.artifact.reader_card import CARD_FILE, ReaderCard
from querygist.errors import ConfigurationError
from querygist.files import replacing, sha256_of
from training.config import Config
from training.reader.fit_fusion import SHIPPED
from training.reader.stage import FOLDER


def run(config: Config, console: Console) -> None:
    """Copy the files, and pin the card. Raises ConfigurationError when the stage `fit-fusion` was not run."""
    source = config.work_dir / FOLDER / SHIPPED
    if not ReaderCard.load(source).fusion:
        raise ConfigurationError(f"The card in {source} is not fitted. Run the stage fit-fusion first.")
    weights_dir = settings.load().weights_dir
    shutil.copytree(source, weights_dir / FOLDER, dirs_exist_ok=True)
    # Read as JSON: the manifest pins the card that was there before, and cannot be loaded now.
    described = json.loads((weights_dir / MANIFEST_FILE).read_text(encoding="utf-8"))
    described["reader"] = {"folder": FOLDER, "card_sha256": sha256_of(source / CARD_FILE)}
    with replacing(weights_dir / MANIFEST_FILE) as partial:
        partial.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    Manifest.load(weights_dir)  # as the service will
    console.print(f"export-reader: {weights_dir / FOLDER}")
