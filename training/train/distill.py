"""Distillation: learn a teacher's labels (sequence level), and its probabilities where its vocabulary is ours.

Sequence level (Kim and Rush, 2016): cross-entropy on the summaries of the label stage. White-box, with `kl_weight` > 0:
(1 - kl_weight) NLL + kl_weight T^2 KL(teacher || student) on the summary's tokens; and, for the share `on_policy` of
batches, the KL on what the student itself writes (Agarwal et al., 2024), the NLL staying on the labels.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from querygist.errors import ConfigurationError
from training import stable_random
from training.config import Config, DistillConfig
from training.context import TrainingContext
from training.data.examples import read_examples
from training.generate.label import LABELS
from training.train import batches, losses, modeling
from training.train.encoding import Encoded
from training.train.sft import likelihood, target_tokens
from training.train.trainer import Objective

FOLDER = "distill"


def run(config: Config, console: Console) -> None:
    """Train on the label stage's file, from the last checkpoint on if there is one. Raises QuerygistError."""
    context, recipe, data = TrainingContext(config), config.distill, config.work_dir / LABELS
    if context.is_done(FOLDER, recipe, data, console):
        return
    training = [context.encode(example) for example in read_examples(data)]
    objective = likelihood(context.end_id)
    if recipe.kl_weight:
        objective = white_box(teacher(context, recipe), recipe, pad_id=context.end_id, seed=config.seed)
    context.train(FOLDER, context.student(recipe.init_from), objective, recipe, training, data, console)


def teacher(context: TrainingContext, recipe: DistillConfig) -> Any:
    """Return the model whose probabilities are learnt: a stage's, or a Hugging Face folder's with our vocabulary.

    Raises ConfigurationError when it has another one: then only its text can be learnt from, with kl_weight 0.
    """
    if recipe.teacher_folder is None:
        found = modeling.load_stage(context.base(), context.stage_folder(recipe.teacher_stage))
    else:
        check_vocabulary(recipe.teacher_folder, context.tokenizer_path)
        found = modeling.load_folder(recipe.teacher_folder)
    return found.to(context.device).eval()


def check_vocabulary(folder: Path, tokenizer: Path) -> None:
    """Raise ConfigurationError unless the teacher in `folder` gives every token the id that the student gives it."""
    theirs = AutoTokenizer.from_pretrained(folder).get_vocab()
    ours = Tokenizer.from_file(str(tokenizer)).get_vocab()
    if theirs != ours:
        other = sum(theirs.get(token) != id_ for token, id_ in ours.items())
        raise ConfigurationError(
            f"The teacher in {folder} has {len(theirs)} tokens, the student {len(ours)}, and {other} of the student's "
            "have another id there: their probabilities cannot be compared. Set distill.kl_weight=0, which learns from "
            "the teacher's labels alone."
        )


def white_box(teacher: Any, recipe: DistillConfig, *, pad_id: int, seed: int) -> Objective[Encoded]:
    """Return the loss on labels and the teacher's probabilities, a mean over the labels' tokens."""

    def loss(model: Any, examples: Sequence[Encoded]) -> torch.Tensor:
        batch = batches.collate(examples, pad_id, model.device)
        logits, labels = batches.target_logits(model, batch)
        likelihood = losses.negative_log_likelihood(logits, labels)
        if (
            stable_random.draw(seed, "on-policy", *(one.prompt[-8:] + one.target for one in examples))
            < recipe.on_policy
        ):
            written = [replace(one, target=continuation(model, one, pad_id, recipe)) for one in examples]
            batch = batches.collate(written, pad_id, model.device)
            logits, own = batches.target_logits(model, batch)
            weight = len(labels) / len(own)  # the objective's units are the labels' tokens
        else:
            weight = 1.0
        with torch.no_grad():
            aim, _ = batches.target_logits(teacher, batch)
        divergence = weight * losses.divergence(logits, aim, recipe.temperature)
        return (1 - recipe.kl_weight) * likelihood + recipe.kl_weight * divergence

    return Objective(loss, target_tokens)


@torch.no_grad()
def continuation(model: Any, example: Encoded, end_id: int, recipe: DistillConfig) -> tuple[int, ...]:
    """Return what the student writes itself, sampled, at most as long as the label and half as much more."""
    prompt = torch.tensor([example.prompt], device=model.device)
    ids = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=len(example.target) * 3 // 2 + 1,
        do_sample=True,
        temperature=recipe.on_policy_temperature,
        top_k=0,
        eos_token_id=end_id,
        pad_token_id=end_id,
        use_cache=True,
    )
    return tuple(ids[0, len(example.prompt) :].tolist())
