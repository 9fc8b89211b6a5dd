"""Supervised fine-tuning: loss on the summary only, early stopping on validation ROUGE-2. See training/trainer.py."""

from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console

from training import batches, dataset, losses
from training.batches import Encoded
from training.config import Config
from training.run import Run
from training.trainer import Objective

FOLDER = "sft"


def run(config: Config, console: Console) -> None:
    """Fine-tune on the data stage's files, from the last checkpoint on if there is one. Raises QuerygistError."""
    here, recipe, data = Run(config), config.sft, config.work_dir / "train.jsonl"
    if here.is_done(FOLDER, recipe, data, console):
        return
    training = [here.encode(example) for example in dataset.read(data)]
    here.train(FOLDER, here.student(recipe.start), likelihood(here.end_id), recipe, training, data, console)


def likelihood(pad_id: int) -> Objective[Encoded]:
    """Cross-entropy on the summaries, a mean over their tokens."""

    def loss(model: Any, examples: Sequence[Encoded]) -> torch.Tensor:
        return losses.negative_log_likelihood(*batches.target_logits(model, batches.collate(examples, pad_id)))

    return Objective(loss, target_tokens)


def target_tokens(examples: Sequence[Encoded]) -> float:
    """The number of positions that are learnt from."""
    return sum(len(one.target) for one in examples)
