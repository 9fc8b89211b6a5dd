"""Objects that the training stages share: tokenizer, base model, device, the start of a stage, its validation."""

from collections.abc import Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from querygist import settings
from querygist.artifact import fetch_base
from querygist.artifact.manifest import Manifest
from querygist.files import sha256_of
from querygist.prompting.templates import opening_id
from querygist.prompting.tokenizer import Tokenizer
from training.config import Config, TrainerConfig
from training.data.examples import Example, read_examples
from training.train import device, modeling
from training.train.encoding import Encoded, encode
from training.train.trainer import Objective, Trainer, best_adapter, check_same_run, stage_adapter
from training.train.validation import Validation

T = TypeVar("T", bound=Sized)


class TrainingContext:
    """One configuration's tokenizer, device and models."""

    def __init__(self, config: Config) -> None:
        """Raises ArtifactError when the shipped manifest is not whole, ConfigurationError without the device."""
        self._config = config
        self._settings = settings.load()
        manifest = Manifest.load(self._settings.weights_dir)
        self._identity = replace(manifest.identity(self._settings.precision), prompt_version=config.prompt_version)
        self.tokenizer_path = self._settings.weights_dir / manifest.tokenizer.file
        self.tokenizer = Tokenizer(self.tokenizer_path)
        self.end_id = manifest.tokenizer.end_id
        self.opening_id = opening_id(config.prompt_version, self.tokenizer)
        self.output_limit = self._identity.output_limit
        self.device = device.choose_device(config.device)
        self.autocast = device.autocast(self.device, config.student)

    def encode(self, example: Example, longest: int | None = None) -> Encoded:
        """Return the ids the engine will see for this example, and those it should answer with, at most `longest`."""
        return encode(example, self.tokenizer, self._identity, longest=longest)

    def base(self) -> Any:
        """Return the base model in torch, on the CPU; fetched if need be. Raises ArtifactError."""
        return modeling.load_base(fetch_base(self._settings))

    def student(self, init_from: str | None) -> Any:
        """Return the model to train, from the best of a stage, or from the base. Raises ConfigurationError."""
        start = None if init_from is None else self.stage_folder(init_from)
        base = self.base()
        torch.manual_seed(self._config.seed)  # LoRA begins at random
        return modeling.trainable_model(base, self._config.student, start).to(self.device)

    def stage_folder(self, stage: str) -> Path:
        """Return the folder of the best that a stage trained. Raises ConfigurationError while there is none."""
        return stage_adapter(self._config.work_dir, stage)

    def is_done(self, stage: str, recipe: TrainerConfig, data: Path, console: Console) -> bool:
        """Return whether the stage's run on the file `data` is over. Raises ConfigurationError for another run's."""
        best = best_adapter(self._config.work_dir / stage)
        if best is None:
            return False
        check_same_run(self._config.work_dir / stage, self._made_from(recipe, data))
        console.print(f"{stage}: already done, {best}")
        return True

    def train(
        self,
        stage: str,
        model: Any,
        objective: Objective[T],
        recipe: TrainerConfig,
        training: Sequence[T],
        data: Path,
        console: Console,
    ) -> None:
        """Run one stage, from its last checkpoint on, on examples from the file `data`. Raises ConfigurationError."""
        trainer = Trainer(
            model,
            objective,
            recipe,
            self._config.work_dir / stage,
            seed=self._config.seed,
            autocast=self.autocast,
            made_from=self._made_from(recipe, data),
        )
        console.print(f"{stage}: {trainer.run(training, self._validation())}")

    def _made_from(self, recipe: TrainerConfig, data: Path) -> dict[str, str]:
        """Return what a run on the file `data` follows from, for the trainer."""
        start = "base"
        if recipe.init_from is not None:
            weights = sorted(self.stage_folder(recipe.init_from).glob("*.safetensors"))
            start = " ".join(map(sha256_of, weights))
        return {
            data.name: sha256_of(data),
            "recipe": recipe.model_dump_json(),
            "student": self._config.student.model_dump_json(),
            "prompt version": self._config.prompt_version,
            "seed": str(self._config.seed),
            "model to start from": start,
        }

    def _validation(self) -> Validation:
        """Return loss and score on the first rows of validation.jsonl."""
        rows = read_examples(self._config.work_dir / "validation.jsonl")[: self._config.max_eval_samples]
        return Validation(
            examples=rows,
            encoded=[self.encode(example) for example in rows],
            pad_id=self.end_id,
            tokenizer_path=self.tokenizer_path,
            config=self._config,
        )
