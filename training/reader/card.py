"""The card of a reader: what serving must know beside its weights: limits, temperature, threshold, hashes."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from querygist.artifact.pinned import PinnedFile
from querygist.artifact.reader_card import CARD_FILE, ReaderBase, ReaderCard, ReaderWeights
from querygist.files import replacing, sha256_of
from querygist.reader.input_format import LIMITS
from training.reader import base

NAME, VERSION = "querygist-reader-minilm-22m", "0.1.0"
"""VERSION changes with any change of the shipped weights: minor for a new training or format, else patch."""


def write(
    folder: Path,
    weights: tuple[Path, Path],
    tokenizer: Path,
    *,
    temperature: float = 1.0,
    threshold: float = 0.0,
    fusion: Mapping[str, float],
) -> Path:
    """Write a reader's card and return its path.

    `weights` are the files of `quantize.save`, in `folder`; the tokenizer file is copied there, if it is elsewhere.
    """
    if tokenizer.parent != folder:
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
        threshold=threshold,
        fusion=dict(fusion),
    )
    with replacing(folder / CARD_FILE) as partial:
        partial.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return folder / CARD_FILE
