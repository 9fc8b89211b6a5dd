"""What the training stages have in common: tokenizer, base model, where a stage begins, and how it is validated."""

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
from training.export.weights_folder import ADAPTER_FILE
from training.train import modeling
from training.train.encoding import Encoded, encode
from training.train.trainer import Objective, Trainer, Validate, best_adapter, check_same_run, stage_adapter
from training.train.validation import Validation

T = TypeVar("T", bound=Sized)


class TrainingContext:
    """One configuration's tokenizer and models."""

    def __init__(self, config: Config) -> None:
        """Raises ArtifactError when the shipped manifest is not whole."""
        self._config = config
        self._settings = settings.load()
        manifest = Manifest.load(self._settings.weights_dir)
        self._identity = replace(manifest.identity(self._settings.precision), prompt_version=config.prompt_version)
        self.tokenizer_path = self._settings.weights_dir / manifest.tokenizer.file
        self.tokenizer = Tokenizer(self.tokenizer_path)
        self.end_id = manifest.tokenizer.end_id
        self.opening_id = opening_id(config.prompt_version, self.tokenizer)
        self.output_limit = self._identity.output_limit

    def encode(self, example: Example, longest: int | None = None) -> Encoded:
        """The ids the engine will see for this example, and those it should answer with, at most `longest` of them."""
        return encode(example, self.tokenizer, self._identity, longest=longest)

    def base(self) -> Any:
        """The base model in torch; fetched if need be. Raises ArtifactError."""
        return modeling.load_base(fetch_base(self._settings))

    @property
    def arithmetic(self) -> torch.autocast:
        """What the student is trained under."""
        return modeling.arithmetic(self._config.student)

    def student(self, start: str | None) -> Any:
        """The model to train, from the best adapter of stage `start`, or from the base. Raises ConfigurationError."""
        return modeling.begin(self.base(), self._config.student, start and self.adapter(start))

    def adapter(self, stage: str) -> Path:
        """The best adapter of a stage. Raises ConfigurationError while there is none."""
        return stage_adapter(self._config.work_dir, stage)

    def is_done(self, stage: str, recipe: TrainerConfig, data: Path, console: Console) -> bool:
        """Whether the stage's run on the file `data` is over. Raises ConfigurationError when it was another run."""
        folder = self._config.work_dir / stage
        best = best_adapter(folder)
        if best is None:
            return False
        check_same_run(folder, self._made_from(recipe, data))
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
        """One stage's run, from its last checkpoint on, on examples from the file `data`. Raises ConfigurationError."""
        folder = self._config.work_dir / stage
        made_from = self._made_from(recipe, data)
        trainer = Trainer(
            model,
            objective,
            recipe,
            folder,
            seed=self._config.seed,
            arithmetic=self.arithmetic,
            made_from=made_from,
        )
        best = trainer.run(training, self._validation())
        console.print(f"{stage}: {best}")

    def _made_from(self, recipe: TrainerConfig, data: Path) -> dict[str, str]:
        """For the trainer: what a run on the file `data` follows from."""
        start = "base" if recipe.start is None else sha256_of(self.adapter(recipe.start) / ADAPTER_FILE)
        return {
            data.name: sha256_of(data),
            "recipe": recipe.model_dump_json(),
            "student": self._config.student.model_dump_json(),
            "prompt version": self._config.prompt_version,
            "seed": str(self._config.seed),
            "base or adapter to start from": start,
        }

    def _validation(self) -> Validate:
        """Loss and score on the first rows of validation.jsonl."""
        rows = read_examples(self._config.work_dir / "validation.jsonl")[: self._config.validation_rows]
        return Validation(
            examples=rows,
            encoded=[self.encode(example) for example in rows],
            pad_id=self.end_id,
            config=self._config,
        )
