"""Direct preference optimization (Rafailov et al., 2023): away from answers that were liked less.

Our own loop, as the pairs, the student's own log-probabilities and the adapter are all there: the reference is the
model the stage starts from, and what it thinks of each answer is computed once, before the first step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from training.config import Config, DpoConfig
from training.context import TrainingContext
from training.data.examples import Example
from training.preferences.build_pairs import PAIRS
from training.preferences.pairs import Pair, read_pairs
from training.train import batches, losses
from training.train.encoding import Encoded
from training.train.trainer import Objective

FOLDER = "dpo"
REFERENCE = "reference.pt"


@dataclass(frozen=True, slots=True)
class Choice:
    """One pair as ids, and how much more the reference likes the chosen answer: log ref(chosen) - log ref(rejected)."""

    chosen: Encoded
    rejected: Encoded
    reference: float = 0.0

    def __len__(self) -> int:
        return len(self.chosen) + len(self.rejected)


def run(config: Config, console: Console) -> None:
    """Train on the preferences stage's pairs, from the last checkpoint on if there is one. Raises QuerygistError."""
    context, recipe, data = TrainingContext(config), config.dpo, config.work_dir / PAIRS
    if context.is_done(FOLDER, recipe, data, console):
        return
    model = context.student(recipe.init_from)
    found = [encode(pair, context) for pair in read_pairs(data)]
    with context.autocast:  # as it is trained, or the margins would not begin at 0
        training = with_reference(model, found, context.end_id, config.work_dir / FOLDER)
    context.train(FOLDER, model, preference(recipe, context.end_id), recipe, training, data, console)


def encode(pair: Pair, context: TrainingContext) -> Choice:
    """Return both answers after the same prompt."""

    def answer(summary: str) -> Encoded:
        return context.encode(
            Example(pair.id, pair.origin, pair.query, pair.document, summary, pair.max_words, "positive", pair.derived)
        )

    return Choice(answer(pair.chosen), answer(pair.rejected))


def with_reference(model: Any, found: Sequence[Choice], pad_id: int, folder: Path) -> list[Choice]:
    """Return the pairs with what `model`, untrained yet, thinks of them; kept in `folder` for a run that is resumed."""
    path = folder / REFERENCE
    if path.exists():
        margins = torch.load(path, weights_only=True).tolist()
    else:
        model.eval()
        with torch.no_grad():
            margins = [log_ratio(model, [one], pad_id).item() for one in track(found, "reference")]
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(torch.tensor(margins, dtype=torch.float64), path)
    return [Choice(one.chosen, one.rejected, margin) for one, margin in zip(found, margins, strict=True)]


def preference(recipe: DpoConfig, pad_id: int) -> Objective[Choice]:
    """Return the loss of a pair, and `rpo_alpha` nats a token of the chosen answer's own likelihood, a mean over pairs.

    The second keeps the chosen answers themselves from becoming unlikely, which DPO alone does not mind (Pang et al.,
    2024, "Iterative Reasoning Preference Optimization").
    """

    def loss(model: Any, examples: Sequence[Choice]) -> torch.Tensor:
        chosen, rejected, tokens = log_likelihoods(model, examples, pad_id)
        reference = torch.tensor([one.reference for one in examples], device=chosen.device)
        aim = losses.preference(chosen - rejected - reference, beta=recipe.beta, label_smoothing=recipe.label_smoothing)
        return aim - recipe.rpo_alpha * (chosen / tokens).sum()

    return Objective(loss, len)


def log_ratio(model: Any, examples: Sequence[Choice], pad_id: int) -> torch.Tensor:
    """Return log pi(chosen) - log pi(rejected), float[pairs], in nats."""
    chosen, rejected, _ = log_likelihoods(model, examples, pad_id)
    return chosen - rejected


def log_likelihoods(
    model: Any, examples: Sequence[Choice], pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log pi of the chosen and of the rejected answers, summed over tokens, and the chosen ones' token counts.

    Each float[pairs]; the end of the answer counts as a token.
    """
    both = [answer for one in examples for answer in (one.chosen, one.rejected)]
    logits, labels = batches.target_logits(model, batches.collate(both, pad_id, model.device))
    each = torch.log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
    sizes = [len(one.target) for one in both]
    sums = torch.stack([part.sum() for part in torch.split(each, sizes)]).view(-1, 2)
    return sums[:, 0], sums[:, 1], torch.tensor(sizes[::2], device=sums.device)
