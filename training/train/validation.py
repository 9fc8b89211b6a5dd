"""How good the student is in the middle of its training: not its loss, but what the service would answer with it.

Summaries that the embedded engine writes with the merged and quantized model, at every checkpoint: ROUGE-2 where the
document answers, and whether it refuses where the document does not. By ROUGE-2 alone the best student never refuses.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rouge_score.rouge_scorer import RougeScorer

from querygist import artifact, settings
from training.config import Config
from training.data.example_io import Example
from training.export import weights_folder
from training.generate.embedded import EmbeddedGenerator
from training.train import batches, losses
from training.train.encoding import Encoded

IN_FLIGHT = 8
MICRO_ROWS = 4


@dataclass(frozen=True, slots=True)
class Validation:
    """`examples`, the same rows `encoded`. Calling it gives validation_loss, score, rouge2, refused, false_refusals."""

    examples: Sequence[Example]
    encoded: Sequence[Encoded]
    pad_id: int
    config: Config

    def __call__(self, model_in_training: Any, adapter: Path) -> dict[str, float]:
        """Numbers of the model; `adapter` is the folder it was saved to."""
        return {"validation_loss": self._loss(model_in_training), **self._written(adapter)}

    def _loss(self, model_in_training: Any) -> float:
        total = count = 0.0
        for start in range(0, len(self.encoded), MICRO_ROWS):
            some = self.encoded[start : start + MICRO_ROWS]
            logits, labels = batches.target_logits(model_in_training, batches.collate(some, self.pad_id))
            total += losses.negative_log_likelihood(logits, labels).item()
            count += len(labels)
        return total / count

    def _written(self, adapter: Path) -> dict[str, float]:
        """`rouge2`: F1 x 100 of positives, a refusal counting 0. The shares of negatives and of positives refused.
        `score`: over all rows, a negative counting 100 if refused, else 0.
        """
        with tempfile.TemporaryDirectory() as folder:
            chosen = settings.load(
                weights_dir=weights_folder.assemble(Path(folder), adapter, prompt_version=self.config.prompt_version),
                max_in_flight=IN_FLIGHT,
            )
            built = artifact.build(chosen)
            try:
                with EmbeddedGenerator(chosen, name="validation", in_flight=IN_FLIGHT) as generator:
                    written = [one for (one,) in generator.generate(self.examples)]
            finally:
                shutil.rmtree(built.path)  # one a checkpoint would fill the disk
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
