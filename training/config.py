"""What a training run is: one YAML file, checked before anything is read or trained.

Each stage has a section of its own here. Paths in the file are relative to the repository, so that a run means the same
wherever it is started.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service import settings
from service.errors import ConfigurationError

REPOSITORY = Path(__file__).parent.parent


class Strict(BaseModel):
    """A section of the file: a field that is not known is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRule(Strict):
    """How the training rows of one source are used."""

    share: float = Field(default=1.0, ge=0, le=1, description="which share of the rows is kept; 0 drops the source")
    least_words: int = Field(default=1, ge=1, description="rows with a shorter target are fragments, and dropped")
    hard_negatives: bool = Field(
        default=True, description="false where questions are so general that a similar document answers them too"
    )


class GrowConfig(Strict):
    """Short copied targets become longer ones; see training/grow.py."""

    share: float = Field(default=0.85, ge=0, le=1, description="of the short targets; the rest teaches short answers")
    min_words: int = Field(default=35, ge=1)
    max_words: int = Field(default=70, le=120)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words ({self.min_words}) must not be above max_words ({self.max_words})")
        return self


class DataConfig(Strict):
    """The data stage: which rows, and what becomes of them."""

    files: list[Path] = Field(min_length=1, description="JSONL files of rows, of any split")
    held_out: float = Field(
        default=0.1, gt=0, lt=0.5, description="share of the rows that name no split: for validation, and for test"
    )
    also_allow: list[str] = Field(default=[], description="`license` texts allowed for training beside the built-in")
    sources: dict[str, SourceRule] = {}
    grow: GrowConfig = GrowConfig()
    negative_share: float = Field(default=0.4, ge=0, lt=1, description="of all training and validation rows")
    test_negatives: int = Field(default=300, ge=0, description="most test rows of each kind of negative")
    max_prompt_tokens: int | None = Field(
        default=None, ge=128, description="longest training prompt, if shorter than the model's own limit"
    )

    def rule(self, source: str) -> SourceRule:
        """The rule of a source, or the rule of those that have none."""
        return self.sources.get(source, SourceRule())


class SftConfig(Strict):
    """Supervised fine-tuning; see training/sft.py. The adapter of rank 24 is 15 MB."""

    rank: int = Field(default=24, ge=1, le=24)
    alpha: int = Field(default=48, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    warm_up: int = Field(default=20, ge=1, description="steps until the learning rate is reached")
    steps: int = Field(default=600, ge=1)
    rows: int = Field(default=16, ge=1, description="examples in a step")
    micro_rows: int = Field(default=8, ge=1, description="of them at once, as memory allows")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    every: int = Field(default=50, ge=1, description="steps between checkpoints")
    validation_rows: int = Field(default=100, ge=1)


class Config(Strict):
    """A whole run."""

    seed: int = Field(ge=0)
    work_dir: Path
    data: DataConfig
    sft: SftConfig = SftConfig()


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file. `overrides` are "field.field=value", the value in YAML.

    Without `work_dir` the state goes to training/<name of the file> in the cache folder. Raises ConfigurationError,
    naming file and field.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"Cannot read the training config {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The training config {path} is not YAML: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"The training config {path} must be a mapping with `seed` and `data`.")
    for override in overrides:
        _set(found, override)
    try:
        config = Config.model_validate({"work_dir": settings.load().cache_dir / "training" / path.stem, **found})
    except ValidationError as error:
        wrong = "; ".join(_describe(item) for item in error.errors(include_url=False))
        raise ConfigurationError(f"The training config {path} is wrong: {wrong}.") from error
    files = [REPOSITORY / file for file in config.data.files]  # an absolute path stays what it is
    return config.model_copy(
        update={
            "work_dir": REPOSITORY / config.work_dir.expanduser(),
            "data": config.data.model_copy(update={"files": files}),
        }
    )


def _set(found: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    *sections, field = name.strip().split(".")
    if not equals or not field:
        raise ConfigurationError(f"{override!r} sets nothing. Write it as field.field=value.")
    for section in sections:
        found = found.setdefault(section, {})
        if not isinstance(found, dict):
            raise ConfigurationError(f"{override!r} cannot be set: {section} has no fields.")
    try:
        found[field] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"The value of {override!r} is not YAML.") from error


def _describe(item: Any) -> str:  # pydantic's ErrorDetails
    name = ".".join(map(str, item["loc"])) or "the file"
    return f"{name}: {item['msg']}" + ("" if item["type"] == "missing" else f" (found {item['input']!r:.80})")
