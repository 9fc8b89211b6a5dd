"""The card of a reader: what serving must know beside its weights: limits, temperature, threshold, hashes."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from querygist.artifact.pinned import PinnedFile
from querygist.artifact.reader_card import CARD_FILE, ReaderBase, ReaderCard, ReaderWeights
from querygist.errors import ConfigurationError
from querygist.files import replacing, sha256_of
from querygist.reader.input_format import LIMITS
from training.reader import base, calibration, fusion

NAME, VERSION = "querygist-reader-minilm-22m", "0.1.0"
"""VERSION changes with any change of the shipped weights: minor for a new training or format, else patch."""


def write(folder: Path, report: Mapping[str, Any], weights: tuple[Path, Path], tokenizer: Path) -> Path:
    """Write the card of a reader whose int8 weights the report is of, and return its path.

    `weights` are the files of `quantize.save`, in `folder`; the tokenizer file is copied there.
    """
    temperature = report["calibration"]["temperature"]
    with replacing(folder / tokenizer.name) as partial:
        shutil.copyfile(tokenizer, partial)
    embeddings, layers, copied = (
        PinnedFile(file=file.name, sha256=sha256_of(file)) for file in (*weights, folder / tokenizer.name)
    )
    card = ReaderCard(
        name=NAME,
        version=VERSION,
        base=ReaderBase(project=base.WEIGHTS.source.project, sha256=base.WEIGHTS.sha256),
        weights=ReaderWeights(embeddings=embeddings, layers=layers),
        tokenizer=copied,
        limits=LIMITS,
        temperature=temperature,
        threshold=calibration.probability(report["refusals"]["threshold"], temperature),
        fusion=report["fusion"],
    )
    with replacing(folder / CARD_FILE) as partial:
        partial.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return folder / CARD_FILE


def fusion_weights(folder: Path) -> NDArray[np.float32]:
    """Return the weights on a reader's card, which the choices' report wrote. Raises ConfigurationError."""
    try:
        found = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))["fusion"]
        return np.array([found[name] for name in fusion.FEATURES], np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"Cannot read the fusion weights in {folder / CARD_FILE} ({error}). Run evaluate-reader without test_files."
        ) from error
