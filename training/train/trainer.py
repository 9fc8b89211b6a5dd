"""The loop that every training stage shares: batches, optimizer, log, checkpoints, early stopping.

folder/
    metrics.jsonl       one line a step: loss, learning rate, tokens a second; one a validation
    adapter-<step>/     what was trained until then; `querygist model build` takes an adapter as it is; all weights
                        are a Hugging Face folder
    state.pt            what a resumed run goes on from
    best.json           the step with the best validation, written last when the run is over
    made_from.json      hashes of all that the run follows from
    loss.png
"""

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from matplotlib.figure import Figure
from rich.progress import Progress

from querygist.errors import ConfigurationError
from querygist.files import replacing
from training.config import TrainerConfig
from training.train import batches, modeling

T = TypeVar("T", bound=Sized)
BEST, MADE_FROM = "best.json", "made_from.json"

_LEGEND = {
    "loss": "what is minimised, on a step's examples",
    "validation_loss": "nats a token of whole validation summaries",
    "score": "score of what is served",
}


@dataclass(frozen=True, slots=True)
class Objective(Generic[T]):
    """The objective to minimise: the sum of `loss` over a step's examples, divided by their `units`.

    `loss` takes the model and a few examples and gives the sum over them, so that how a step is split into
    micro-batches changes memory and not the result.
    """

    loss: Callable[[Any, Sequence[T]], torch.Tensor]
    units: Callable[[Sequence[T]], float]


Validate = Callable[[Any, Path], dict[str, float]]
"""Given the model and the folder its adapter has just been saved in: numbers to log; "score" is the one to maximise."""


class Trainer(Generic[T]):
    """One run in one folder. Starting it again goes on where the last checkpoint was."""

    def __init__(
        self,
        model: Any,
        objective: Objective[T],
        recipe: TrainerConfig,
        folder: Path,
        *,
        seed: int,
        autocast: AbstractContextManager[Any] | None = None,
        made_from: Mapping[str, str],
    ) -> None:
        """`autocast`: see `training.train.device`. `made_from`: hashes of all that the run follows from. Raises
        ConfigurationError if the folder has others.
        """
        self._model = model
        self._objective = objective
        self._recipe = recipe
        self._seed = seed
        self._autocast = autocast or nullcontext()
        self._folder = folder
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=0.0)
        self._step = 0
        self._best: tuple[float, int] = (-math.inf, 0)
        folder.mkdir(parents=True, exist_ok=True)
        check_same_run(folder, made_from)
        self._resume()

    def run(self, training: Sequence[T], validate: Validate) -> Path:
        """Train to the last step, or until `patience` validations in a row were not better; return the best's folder.

        Raises ConfigurationError when there is nothing to train on.
        """
        if not training:
            raise ConfigurationError(f"There is no example to train on for {self._folder.name}.")
        if (done := best_adapter(self._folder)) is not None:
            return done
        with Progress() as progress:
            task = progress.add_task(self._folder.name, total=self._recipe.max_steps, completed=self._step)
            for batch in itertools.islice(self._batches(training), self._step, self._recipe.max_steps):
                self._log(self._train(batch))
                progress.update(task, completed=self._step)
                if self._step % self._recipe.eval_steps == 0 or self._step == self._recipe.max_steps:
                    self._checkpoint(validate)
                    if self._step - self._best[1] >= self._recipe.patience * self._recipe.eval_steps:
                        break
        best = {"step": self._best[1], "score": self._best[0], "steps": self._step}
        with replacing(self._folder / BEST) as partial:
            partial.write_text(json.dumps(best) + "\n")
        return self._folder / f"adapter-{self._best[1]}"

    def _batches(self, training: Sequence[T]) -> Iterator[list[T]]:
        for number in itertools.count():
            yield from batches.epoch(training, rows=self._recipe.batch_size, seed=self._seed + number)

    def _train(self, examples: list[T]) -> dict[str, float]:
        """Take one optimizer step."""
        began = time.monotonic()
        torch.manual_seed(self._seed + self._step)
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._model.train()
        units = self._objective.units(examples)
        loss = 0.0
        for start in range(0, len(examples), self._recipe.micro_batch_size):
            with self._autocast:
                part = (
                    self._objective.loss(self._model, examples[start : start + self._recipe.micro_batch_size]) / units
                )
            torch.autograd.backward(part)
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        return {
            "step": self._step,
            "loss": loss,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "gradient_norm": float(norm),
            "tokens_per_second": sum(map(len, examples)) / (time.monotonic() - began),
        }

    def _learning_rate(self) -> float:
        """Return that of this step: linear warm-up, then a cosine down to a tenth."""
        recipe = self._recipe
        if self._step < recipe.warmup_steps:
            return recipe.learning_rate * (self._step + 1) / recipe.warmup_steps
        done = (self._step - recipe.warmup_steps) / max(1, recipe.max_steps - recipe.warmup_steps)
        return recipe.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))

    def _log(self, line: dict[str, float]) -> None:
        with (self._folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _checkpoint(self, validate: Validate) -> None:
        """Write everything, the state last and in one move: a run that is killed meanwhile finds the one before."""
        adapter = self._folder / f"adapter-{self._step}"
        modeling.save(self._model, adapter)
        self._model.eval()
        with torch.no_grad():
            found = validate(self._model, adapter)
        self._log({"step": self._step, **found})
        if found["score"] > self._best[0]:
            self._best = found["score"], self._step
        self._plot()
        state = {
            "step": self._step,
            "best": self._best,
            "trained": modeling.trainable_state(self._model),
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, self._folder / "state.new")
        (self._folder / "state.new").rename(self._folder / "state.pt")

    def _resume(self) -> None:
        path = self._folder / "state.pt"
        if path.exists():
            state = torch.load(path, weights_only=True, map_location="cpu")
            self._model.load_state_dict(state["trained"], strict=False)
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]
            self._best = state["best"]

    def _plot(self) -> None:
        lines = [json.loads(line) for line in (self._folder / "metrics.jsonl").read_text().splitlines()]
        figure = Figure(figsize=(11, 4), layout="tight")
        left, right = figure.subplots(1, 2)
        for axis, name, style in ((left, "loss", "-"), (left, "validation_loss", "o-"), (right, "score", "o-")):
            logged = [line for line in lines if name in line]
            steps, values = [line["step"] for line in logged], [line[name] for line in logged]
            axis.plot(steps, values, style, label=_LEGEND[name], alpha=0.8)
        for axis, title in ((left, "loss"), (right, "validation")):
            axis.set(xlabel="step", title=title)
            axis.legend()
        figure.savefig(self._folder / "loss.png", dpi=120)


def check_same_run(folder: Path, made_from: Mapping[str, str]) -> None:
    """Raise ConfigurationError if the folder holds another run: hours are neither thrown away nor mixed with others."""
    path = folder / MADE_FROM
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name in made_from.keys() | before.keys() if made_from.get(name) != before.get(name)]
        if changed:
            raise ConfigurationError(
                f"The run in {folder} was begun with another {', '.join(sorted(changed))}. "
                "Delete the folder to begin anew, or set work_dir to another one."
            )
    else:
        with replacing(path) as partial:
            partial.write_text(json.dumps(dict(made_from), indent=2) + "\n", encoding="utf-8")


def stage_adapter(work_dir: Path, stage: str) -> Path:
    """Return the folder of the best that a stage trained. Raises ConfigurationError while there is none."""
    found = best_adapter(work_dir / stage)
    if found is None:
        raise ConfigurationError(f"The stage {stage} has not been run to its end: `python -m training {stage}`.")
    return found


def best_adapter(folder: Path) -> Path | None:
    """Return the folder of the best checkpoint of a run that is over; None while it is not."""
    try:
        best = json.loads((folder / BEST).read_text())
    except OSError:
        return None
    return folder / f"adapter-{best['step']}"
