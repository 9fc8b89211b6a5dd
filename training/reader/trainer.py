"""The training loop of the reader: one pass over its examples.

folder/
    metrics.jsonl   one line every few steps: losses, learning rate, tokens a second
    state.pt        weights, their moving average, optimizer and step: what a resumed run goes on from
    reader.safetensors   the average of the weights, and of the start as much as is wanted; written when the run is over
"""

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.progress import Progress
from safetensors.torch import save_file

from querygist.files import replacing
from training.config import ReaderConfig
from training.reader import losses
from training.reader.examples import Example
from training.reader.model import Reader, collate
from training.reader.similarity import Similarity
from training.train import batches
from training.train.trainer import check_same_run

STATE, WEIGHTS, METRICS = "state.pt", "reader.safetensors", "metrics.jsonl"
_LOG_STEPS = 10


class ReaderTrainer:
    """One run in one folder. Starting it again goes on where the last checkpoint was."""

    def __init__(
        self,
        model: Reader,
        config: ReaderConfig,
        folder: Path,
        *,
        seed: int,
        steps: int,
        autocast: torch.autocast,
        made_from: Mapping[str, str],
    ) -> None:
        """`made_from`: hashes of all that the run follows from. Raises ConfigurationError if the folder has others."""
        self._model = model
        self._config = config
        self._folder = folder
        self._seed = seed
        self._steps = steps
        self._autocast = autocast
        self._step = 0
        self._optimizer = torch.optim.AdamW(self._groups(), weight_decay=config.weight_decay, fused=True)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._start = {name: value.clone() for name, value in self._average.items()}
        folder.mkdir(parents=True, exist_ok=True)
        check_same_run(folder, made_from)
        self._resume()

    def run(self, examples: Sequence[Example], similarity: Similarity) -> Path:
        """Train to the last step and return the file of the averaged weights."""
        saved = time.monotonic()
        with Progress() as progress:
            task = progress.add_task("reader", total=self._steps, completed=self._step)
            for batch in itertools.islice(self._batches(examples), self._step, self._steps):
                line = self._train(batch, similarity)
                if self._step % _LOG_STEPS == 0 or self._step == self._steps:
                    self._log(line)
                progress.update(task, completed=self._step)
                if time.monotonic() - saved > self._config.save_seconds:
                    self.save()
                    saved = time.monotonic()
        self.save()
        # Interpolated with the start, as in Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
        share = self._config.start_share
        found = {name: value.lerp(self._start[name], share) for name, value in self._average.items()}
        with replacing(self._folder / WEIGHTS) as partial:
            save_file(found, partial)
        return self._folder / WEIGHTS

    def save(self) -> None:
        """Write all that going on needs, in one move."""
        state = {
            "step": self._step,
            "weights": self._model.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
        }
        with replacing(self._folder / STATE) as partial:
            torch.save(state, partial)

    def _groups(self) -> list[dict[str, object]]:
        heads = [value for name, value in self._model.named_parameters() if not name.startswith("encoder.")]
        # Words' own vectors stay: half of all weights, which so few pages would move for the words they hold alone.
        self._model.encoder.get_input_embeddings().weight.requires_grad_(False)
        encoder = [value for value in self._model.encoder.parameters() if value.requires_grad]
        return [
            {"params": encoder, "lr": self._config.learning_rate},
            {"params": heads, "lr": self._config.head_learning_rate},
        ]

    def _trained(self) -> list[torch.Tensor]:
        return [value for group in self._optimizer.param_groups for value in group["params"]]

    def _batches(self, examples: Sequence[Example]) -> Iterator[list[Example]]:
        for number in itertools.count():
            yield from batches.epoch(examples, rows=self._config.batch_size, seed=self._seed + number)

    def _train(self, examples: list[Example], similarity: Similarity) -> dict[str, float]:
        """Take one optimizer step."""
        began = time.monotonic()
        factor = self._schedule()
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._model.train()
        batch = collate(examples, [similarity.cosines(example) for example in examples])
        with self._autocast:
            scores = self._model(batch)
        loss, parts = losses.total(scores, batch, self._config)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self._trained(), self._config.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        self._update_average()
        return {
            "step": self._step,
            "loss": float(loss.detach()),
            **parts,
            "learning_rate": self._config.learning_rate * factor,
            "gradient_norm": float(norm),
            "tokens_per_second": sum(map(len, examples)) / (time.monotonic() - began),
        }

    def _schedule(self) -> float:
        """Return this step's share of the highest learning rate: linear up, then linear to zero."""
        warmup = max(1, round(self._config.warmup_share * self._steps))
        return min((self._step + 1) / warmup, (self._steps - self._step) / max(1, self._steps - warmup))

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the average towards the weights; at first faster, so that it does not stay where they began."""
        decay = min(self._config.average_decay, self._step / (self._step + 9))
        for name, value in self._model.named_parameters():
            if value.requires_grad:
                self._average[name].lerp_(value, 1 - decay)

    def _log(self, line: Mapping[str, float]) -> None:
        with (self._folder / METRICS).open("a") as file:
            file.write(json.dumps({name: round(value, 9) for name, value in line.items()}) + "\n")

    def _resume(self) -> None:
        path = self._folder / STATE
        if path.exists():
            state = torch.load(path, weights_only=True)
            self._model.load_state_dict(state["weights"])
            self._average = state["average"]
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]
