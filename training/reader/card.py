"""What serving must know of a reader beside its weights: limits, temperature, threshold, hashes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from querygist.files import replacing, sha256_of
from training.reader import base, calibration
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
    }
    with replacing(folder / CARD) as partial:
        partial.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return folder / CARD
