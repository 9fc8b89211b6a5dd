"""Supervised fine-tuning: LoRA, loss on the summary only, resumable at every checkpoint.

work_dir/sft/
    state.pt            step, adapter, optimizer: what a resumed run goes on from
    metrics.jsonl       one line a step: loss, learning rate, tokens a second; one a validation
    adapter-<step>/     adapters as `querygist model build` takes them
    loss.png
"""

import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from rich.progress import Progress
from torch.nn.functional import cross_entropy

from service import settings
from service.model import fetch_base
from service.model.manifest import Manifest
from service.tokenization import Tokenizer
from training import batches, dataset
from training.batches import Encoded
from training.config import Config, SftConfig
from training.student import load_base, save_adapter, with_lora


def run(config: Config) -> None:
    """Fine-tune on the data stage's files, from the last checkpoint on if there is one. Raises ConfigurationError."""
    recipe, chosen = config.sft, settings.load()
    torch.manual_seed(config.seed)
    manifest = Manifest.load(chosen.weights_dir)
    identity = manifest.identity(chosen.precision)
    tokenizer = Tokenizer(chosen.weights_dir / manifest.tokenizer.file)
    training, validation = (
        [batches.encode(example, tokenizer, identity) for example in dataset.read(config.work_dir / f"{name}.jsonl")]
        for name in ("train", "validation")
    )
    model = with_lora(load_base(fetch_base(chosen)), rank=recipe.rank, alpha=recipe.alpha, dropout=recipe.dropout)
    trainer = Trainer(model, recipe, config.work_dir / "sft", seed=config.seed, pad_id=identity.end_id)
    trainer.run(training, validation[: recipe.validation_rows])


class Trainer:
    """One run in one folder. Starting it again goes on where the last checkpoint was."""

    def __init__(self, model: Any, recipe: SftConfig, folder: Path, *, seed: int, pad_id: int) -> None:
        self._model = model
        self._recipe = recipe
        self._seed = seed
        self._folder = folder
        self._pad_id = pad_id
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=0.0)
        self._step = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(self, training: Sequence[Encoded], validation: Sequence[Encoded]) -> None:
        """Train to the last step."""
        torch.manual_seed(self._seed + self._step)
        with Progress() as progress:
            task = progress.add_task("fine-tuning", total=self._recipe.steps, completed=self._step)
            for batch in itertools.islice(self._batches(training), self._step, self._recipe.steps):
                self._log(self._train(batch))
                progress.update(task, completed=self._step)
                if self._step % self._recipe.every == 0 or self._step == self._recipe.steps:
                    self._log({"step": self._step, "validation_loss": self._validate(validation)})
                    self._checkpoint()

    def _batches(self, training: Sequence[Encoded]) -> Iterator[list[Encoded]]:
        for number in itertools.count():
            yield from batches.epoch(training, rows=self._recipe.rows, seed=self._seed + number)

    def _train(self, examples: list[Encoded]) -> dict[str, float]:
        """One optimizer step; the loss is the mean over the step's target tokens, however they are split."""
        began = time.monotonic()
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._model.train()
        targets = sum(len(one.target) for one in examples)
        loss = 0.0
        for start in range(0, len(examples), self._recipe.micro_rows):
            logits, labels = batches.target_logits(
                self._model, batches.collate(examples[start : start + self._recipe.micro_rows], self._pad_id)
            )
            part = cross_entropy(logits, labels, reduction="sum") / targets
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        tokens = sum(map(len, examples))
        return {
            "step": self._step,
            "loss": loss,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "gradient_norm": float(norm),
            "tokens_per_second": tokens / (time.monotonic() - began),
        }

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine down to a tenth."""
        recipe = self._recipe
        if self._step < recipe.warm_up:
            return recipe.learning_rate * (self._step + 1) / recipe.warm_up
        done = (self._step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
        return recipe.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))

    @torch.no_grad()
    def _validate(self, validation: Sequence[Encoded]) -> float:
        self._model.eval()
        total = tokens = 0.0
        for start in range(0, len(validation), self._recipe.micro_rows):
            logits, labels = batches.target_logits(
                self._model, batches.collate(validation[start : start + self._recipe.micro_rows], self._pad_id)
            )
            total += cross_entropy(logits, labels, reduction="sum").item()
            tokens += len(labels)
        return total / tokens

    def _log(self, line: dict[str, float]) -> None:
        with (self._folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _checkpoint(self) -> None:
        """Write everything, the state last and in one move: a run that is killed meanwhile finds the one before."""
        save_adapter(self._model, self._folder / f"adapter-{self._step}")
        self._plot()
        adapter = {name: value for name, value in self._model.state_dict().items() if "lora_" in name}
        state = {"step": self._step, "adapter": adapter, "optimizer": self._optimizer.state_dict()}
        torch.save(state, self._folder / "state.new")
        (self._folder / "state.new").rename(self._folder / "state.pt")

    def _resume(self) -> None:
        path = self._folder / "state.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self._model.load_state_dict(state["adapter"], strict=False)
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]

    def _plot(self) -> None:
        lines = [json.loads(line) for line in (self._folder / "metrics.jsonl").read_text().splitlines()]
        figure, axis = plt.subplots(figsize=(8, 4))
        for name, style in (("loss", "-"), ("validation_loss", "o-")):
            points = [(line["step"], line[name]) for line in lines if name in line]
            axis.plot(*zip(*points, strict=True), style, label=name.replace("_", " "), alpha=0.8)
        axis.set(xlabel="step", ylabel="cross-entropy, nats a token")
        axis.legend()
        figure.tight_layout()
        figure.savefig(self._folder / "loss.png", dpi=120)
        plt.close(figure)
