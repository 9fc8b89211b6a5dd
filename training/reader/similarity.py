"""Cosine similarity of query and unit by the untouched base: what the reader must not forget while it learns."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from querygist import settings
from querygist.files import replacing
from querygist.reader.input_format import CLS, PAD, SEP, InputEncoder
from querygist.reader.pages import load_tokenizer
from training.config import Config
from training.reader import base
from training.reader.examples import Example

MAX_TOKENS = 254
_BATCH_TOKENS = 8192


class Similarity:
    """Vectors of texts, each text once: mean-pooled, of length 1, as all-MiniLM-L6-v2 is published."""

    def __init__(self, encoder: Any, tokenizer: InputEncoder, autocast: torch.autocast) -> None:
        self._encoder = encoder.eval()
        self._tokenizer = tokenizer
        self._autocast = autocast
        self._rows: dict[str, int] = {}
        self._vectors = np.zeros((0, encoder.config.hidden_size), np.float16)

    def add(self, texts: Iterable[str]) -> None:
        """Compute the vectors of texts that have none yet."""
        new = sorted(set(texts) - self._rows.keys(), key=lambda text: (-len(self._tokenizer.tokens(text)), text))
        batches = list(self._batches(new))
        vectors = [self._forward(batch) for batch in track(batches, description="similarity")]
        for text in new:
            self._rows[text] = len(self._rows)
        self._vectors = np.concatenate([self._vectors, *vectors])

    def save(self, path: Path) -> None:
        """Write all vectors, so that a resumed run need not compute them again."""
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, vectors=self._vectors, texts=np.array(json.dumps(list(self._rows))))

    def load(self, path: Path) -> None:
        """Take the vectors that `save` wrote, if it has."""
        if path.exists():
            with np.load(path) as found:
                self._vectors = found["vectors"]
                self._rows = {text: row for row, text in enumerate(json.loads(str(found["texts"])))}

    def cosines(self, example: Example) -> NDArray[np.float32]:
        """Return the cosine of an example's query with each of its units; both must have been added."""
        return self.of(example.query, example.texts)

    def of(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine of a query with each text; all must have been added."""
        units = self._vectors[[self._rows[text] for text in texts]].astype(np.float32)
        found: NDArray[np.float32] = units @ self._vectors[self._rows[query]].astype(np.float32)
        return found

    def _batches(self, texts: Sequence[str]) -> Iterable[list[list[int]]]:
        """Yield ids of texts, longest first, so many at once that a batch has _BATCH_TOKENS at most."""
        batch: list[list[int]] = []
        for text in texts:
            batch.append([CLS, *self._tokenizer.tokens(text)[:MAX_TOKENS], SEP])
            if len(batch[0]) * (len(batch) + 1) > _BATCH_TOKENS:
                yield batch
                batch = []
        if batch:
            yield batch

    @torch.inference_mode()
    def _forward(self, batch: list[list[int]]) -> NDArray[np.float16]:
        ids = torch.full((len(batch), len(batch[0])), PAD)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
        mask = (ids != PAD).to(torch.int64)
        with self._autocast:
            states = self._encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooled = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        vectors: NDArray[np.float16] = torch.nn.functional.normalize(pooled, dim=1).to(torch.float16).numpy()
        return vectors


def untouched(config: Config) -> Similarity:
    """Return the similarity by the base's own weights, fetched if need be."""
    files = base.fetch(settings.load().cache_dir)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(config.student.bf16))
    return Similarity(base.load_encoder(files.weights), InputEncoder(load_tokenizer(files.tokenizer)), autocast)
