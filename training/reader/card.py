"""The card of a reader: what serving must know beside its weights: limits, temperature, threshold, hashes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from querygist.errors import ConfigurationError
from querygist.files import replacing, sha256_of
from training.reader import base, calibration, fusion
from training.reader.input_format import MAX_HEADING_TOKENS, MAX_QUERY_TOKENS, MAX_TOKENS, MAX_UNIT_TOKENS

CARD = "reader.json"


def write(folder: Path, report: Mapping[str, Any], files: Iterable[Path]) -> Path:
    """Write the card of a reader whose int8 weights the report is of, and return its path."""
    temperature = report["calibration"]["temperature"]
    card = {
        "base": {"project": base.WEIGHTS.source.project, "sha256": base.WEIGHTS.sha256},
        "files": {file.name: sha256_of(file) for file in files},
        "max_tokens": MAX_TOKENS,
        "max_query_tokens": MAX_QUERY_TOKENS,
        "max_heading_tokens": MAX_HEADING_TOKENS,
        "max_unit_tokens": MAX_UNIT_TOKENS,
        "temperature": temperature,
        "threshold": calibration.probability(report["refusals"]["threshold"], temperature),
        "fusion": report["fusion"],
    }
    with replacing(folder / CARD) as partial:
        partial.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return folder / CARD


def fusion_weights(folder: Path) -> NDArray[np.float32]:
    """Return the weights on a reader's card, which the choices' report wrote. Raises ConfigurationError."""
    try:
        found = json.loads((folder / CARD).read_text(encoding="utf-8"))["fusion"]
        return np.array([found[name] for name in fusion.FEATURES], np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"Cannot read the fusion weights in {folder / CARD} ({error}). Run evaluate-reader without test_files."
        ) from error
