"""What a training run is: one YAML file, checked before anything is read or trained.

Each stage has a section of its own (training/sections.py, training/recipes.py). Paths in the file are relative to the
repository, so that a run means the same wherever it is started.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.prompting import templates
from training.recipes import DistillConfig, DpoConfig, SftConfig, StudentConfig
from training.sections import (
    DataConfig,
    EvaluateConfig,
    ExportConfig,
    Fp8Config,
    LabelConfig,
    LookaheadConfig,
    PreferencesConfig,
    Strict,
    WriterConfig,
)

REPOSITORY = Path(__file__).parent.parent


class Config(Strict):
    """A whole run."""

    seed: int = Field(ge=0)
    work_dir: Path
    prompt_version: str = Field(
        default="v4", description="of querygist.prompting.templates; the student is served with it"
    )
    data: DataConfig
    student: StudentConfig = StudentConfig()
    validation_rows: int = Field(default=140, ge=1, description="by which checkpoints, and stages, are compared")
    sft: SftConfig = SftConfig()
    distill: DistillConfig = DistillConfig()
    teacher: WriterConfig = WriterConfig(stage="sft")
    label: LabelConfig = LabelConfig()
    preferences: PreferencesConfig = PreferencesConfig()
    dpo: DpoConfig = DpoConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    export: ExportConfig = ExportConfig()
    fp8: Fp8Config = Field(default_factory=Fp8Config)
    lookahead: LookaheadConfig = LookaheadConfig()
    stages: list[str] = Field(
        default=["data", "sft", "label", "distill", "preferences", "dpo", "evaluate", "export"],
        description="of `pipeline`, in order; with a stronger teacher, label and distill come before sft",
    )

    @field_validator("prompt_version")
    @classmethod
    def _known(cls, version: str) -> str:
        if version not in templates.VERSIONS:
            raise ValueError(f"is not one of {', '.join(templates.VERSIONS)}")
        return version


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
    return _rooted(config)


def _rooted(section: Any) -> Any:
    """The section with every path in it from the repository on; an absolute path stays what it is."""
    if isinstance(section, Path):
        return REPOSITORY / section.expanduser()
    if isinstance(section, list):
        return [_rooted(item) for item in section]
    if isinstance(section, dict):
        return {name: _rooted(item) for name, item in section.items()}
    if isinstance(section, Strict):
        return section.model_copy(update={name: _rooted(value) for name, value in section})
    return section


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
