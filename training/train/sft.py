"""Supervised fine-tuning: loss on the summary and on the choice of its first sentence."""

from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console

from training.config import Config
from training.context import TrainingContext
from training.data.examples import read_examples
from training.train import batches, losses
from training.train.encoding import Encoded
from training.train.trainer import Objective

FOLDER = "sft"


def run(config: Config, console: Console) -> None:
    """Fine-tune on the data stage's files, from the last checkpoint on if there is one. Raises QuerygistError."""
    context, recipe, data = TrainingContext(config), config.sft, config.work_dir / "train.jsonl"
    if context.is_done(FOLDER, recipe, data, console):
        return
    training = [context.encode(example, recipe.max_target_tokens) for example in read_examples(data)]
    objective = likelihood(context.end_id)
    if recipe.relevance_weight and context.opening_id is not None:
        objective = choosing(context.end_id, context.opening_id, recipe.relevance_weight)
    context.train(FOLDER, context.student(recipe.init_from), objective, recipe, training, data, console)


def likelihood(pad_id: int) -> Objective[Encoded]:
    """Return cross-entropy on the summaries, a mean over their tokens."""

    def loss(model: Any, examples: Sequence[Encoded]) -> torch.Tensor:
        return losses.negative_log_likelihood(
            *batches.target_logits(model, batches.collate(examples, pad_id, model.device))
        )

    return Objective(loss, target_tokens)


def choosing(end_id: int, opening_id: int, weight: float) -> Objective[Encoded]:
    """Return the likelihood, and `weight` times what it costs to tell, where each sentence is over, whether it answers.

    A summary's likelihood says once in a document which sentence is the right one; this says so of every sentence, at
    the place from which the model will have to look it up. Its output there is one that serving never reads: the
    opening of an answer against the end of the text.
    """

    def loss(model: Any, examples: Sequence[Encoded]) -> torch.Tensor:
        batch = batches.collate(examples, end_id, model.device)
        hidden = batches.hidden_states(model, batch)
        summaries = losses.negative_log_likelihood(*batches.logits_at(model, hidden, batch))
        ends = [(row, place) for row, one in enumerate(examples) for place in one.ends]
        if not ends:
            return summaries
        rows, places = torch.tensor(ends, device=model.device).unbind(1)
        vocabulary = model.get_output_embeddings().weight
        logits = (hidden[rows, places] @ (vocabulary[opening_id] - vocabulary[end_id])).float()
        answers = torch.tensor([answer for one in examples for answer in one.answers], device=model.device)
        return summaries + weight * losses.relevance(logits, answers)

    return Objective(loss, target_tokens)


def target_tokens(examples: Sequence[Encoded]) -> float:
    """Return the number of positions that are learnt from."""
    return sum(len(one.target) for one in examples)
