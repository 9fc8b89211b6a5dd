"""Prompts to calibrate activations on: training rows as the service would ask them, and the answers people gave.

Documents come from the run's data files, uncut: those of train.jsonl are windows, shorter than what is served.
"""

from collections.abc import Sequence

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.prompting.tokenizer import Tokenizer
from training.config import Config
from training.data import licences, raw_dataset
from training.data.build_examples import requested_words
from training.data.examples import Example
from training.stable_random import draw
from training.train.encoding import encode


def sequences(config: Config, tokenizer: Tokenizer, identity: Identity) -> list[list[int]]:
    """Token ids of `fp8.calibration_rows` random training rows, or of all that there are, the longest first.

    Raises ConfigurationError when the data files are not there, or have no row to train on.
    """
    found = raw_dataset.read(config.data.files, seed=config.seed, held_out=config.data.held_out)
    allowed = [row for row in licences.allowed(found, config.data.extra_licenses).rows if row.split == "train"]
    if not allowed:
        raise ConfigurationError(f"No row of {', '.join(map(str, config.data.files))} may be trained on.")
    drawn = sorted(allowed, key=lambda row: draw(config.seed, "calibration", row.id))[: config.fp8.calibration_rows]
    encoded = [encode(_example(row, config.seed), tokenizer, identity) for row in drawn]
    return sorted(([*one.prompt, *one.target] for one in encoded), key=len, reverse=True)


def _example(row: raw_dataset.Row, seed: int) -> Example:
    words = requested_words(row.summary, seed, row.id)
    return Example(row.id, row.source, row.query, row.document, row.summary, words, "positive", derived=False)


def lengths(found: Sequence[Sequence[int]]) -> dict[str, int]:
    """Lengths of prompts with their answers in tokens, for the record."""
    sizes = sorted(map(len, found))
    return {"prompts": len(sizes), "shortest": sizes[0], "median": sizes[len(sizes) // 2], "longest": sizes[-1]}
