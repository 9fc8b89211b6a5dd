"""Validation of a student in training: not only by its loss, but by what the service would answer with it.

At every checkpoint the embedded engine writes summaries with the merged and quantized model (transformers, with a fully
trained one): ROUGE-2 where the document answers, and whether it refuses where the document does not. By ROUGE-2 alone
the best student never refuses.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rouge_score.rouge_scorer import RougeScorer

from querygist import artifact, settings
from training.config import Config, GeneratorConfig
from training.data.examples import Example
from training.export import weights_folder
from training.generate.embedded import EmbeddedGenerator
from training.generate.generator import Generated
from training.generate.resolve import create
from training.train import batches, losses
from training.train.encoding import Encoded
from training.train.modeling import is_adapter

CONCURRENCY = 8
MICRO_ROWS = 4


@dataclass(frozen=True, slots=True)
class Validation:
    """`examples`, the same rows `encoded`. Calling it gives validation_loss, score, rouge2, refused, false_refusals."""

    examples: Sequence[Example]
    encoded: Sequence[Encoded]
    pad_id: int
    tokenizer_path: Path
    config: Config

    def __call__(self, model_in_training: Any, folder: Path) -> dict[str, float]:
        """Numbers of the model; `folder` is where it was saved."""
        return {"validation_loss": self._loss(model_in_training), **self._scores(folder)}

    def _loss(self, model_in_training: Any) -> float:
        total = count = 0.0
        for start in range(0, len(self.encoded), MICRO_ROWS):
            some = self.encoded[start : start + MICRO_ROWS]
            logits, labels = batches.target_logits(
                model_in_training, batches.collate(some, self.pad_id, model_in_training.device)
            )
            total += losses.negative_log_likelihood(logits, labels).item()
            count += len(labels)
        return total / count

    def _scores(self, folder: Path) -> dict[str, float]:
        """`rouge2`: F1 x 100 of positives, a refusal counting 0. The shares of negatives and of positives refused.
        `score`: over all rows, a negative counting 100 if refused, else 0.
        """
        written = self._quantized(folder) if is_adapter(folder) else self._in_torch(folder)
        scorer = RougeScorer(["rouge2"], use_stemmer=True)
        pairs = list(zip(self.examples, written, strict=True))
        positive = [(example, one) for example, one in pairs if example.kind == "positive"]
        negative = [one for example, one in pairs if example.kind != "positive"]
        scores = [scorer.score(example.summary, one.text)["rouge2"].fmeasure for example, one in positive]
        right = sum(not one.answerable for one in negative)
        return {
            "score": 100 * (sum(scores) + right) / len(pairs),
            "rouge2": 100 * sum(scores) / max(1, len(scores)),
            "refused": right / max(1, len(negative)),
            "false_refusals": sum(not one.answerable for _, one in positive) / max(1, len(positive)),
        }

    def _quantized(self, adapter: Path) -> list[Generated]:
        """Return what the embedded engine writes with the merged and quantized model."""
        with tempfile.TemporaryDirectory() as folder:
            chosen = settings.load(
                weights_dir=weights_folder.assemble(Path(folder), adapter, prompt_version=self.config.prompt_version),
                max_in_flight=CONCURRENCY,
            )
            built = artifact.build(chosen)
            try:
                engine = EmbeddedGenerator(chosen, name="validation", concurrency=CONCURRENCY)
                with contextlib.closing(engine) as generator:
                    return [one for (one,) in generator.generate(self.examples)]
            finally:
                shutil.rmtree(built.path)  # one a checkpoint would fill the disk

    def _in_torch(self, folder: Path) -> list[Generated]:
        """Return what a model writes of which every weight was trained: such a model is not quantized."""
        shutil.copyfile(self.tokenizer_path, folder / "tokenizer.json")
        of = GeneratorConfig(engine="hf", model=str(folder), concurrency=CONCURRENCY)
        with contextlib.closing(create(of, self.config)) as generator:
            return [one for (one,) in generator.generate(self.examples)]
