"""What a training run is: one YAML file, checked before anything is read or trained.

Each stage has a section of its own. Paths in the file are relative to the repository, so that a run means the same
wherever it is started.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.prompting import templates

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


class DataConfig(Strict):
    """The data stage: which rows, and what becomes of them."""

    files: list[Path] = Field(min_length=1, description="JSONL files of rows, of any split")
    held_out: float = Field(
        default=0.1, gt=0, lt=0.5, description="share of the rows that name no split: for validation, and for test"
    )
    also_allow: list[str] = Field(default=[], description="`license` texts allowed for training beside the built-in")
    sources: dict[str, SourceRule] = {}
    least_asked: int = Field(default=20, ge=5, le=120, description="words that a quoting target may be long, at least")
    most_asked: int = Field(default=80, ge=5, le=120, description="and at most; each row has a length between them")
    hinted_share: float = Field(
        default=1.0, ge=0, le=1, description="kept of the rows that word overlap answers: the others teach to read"
    )
    negative_share: float = Field(default=0.4, ge=0, lt=1, description="of all training and validation rows")
    test_negatives: int = Field(default=300, ge=0, description="most test rows of each kind of negative")
    max_prompt_tokens: int | None = Field(
        default=None, ge=128, description="longest training prompt, if shorter than the model's own limit"
    )
    own_words_share: float = Field(
        default=1.0, ge=0, le=1, description="kept of the rows whose answer is not made of the document's sentences"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least_asked > self.most_asked:
            raise ValueError(f"least_asked ({self.least_asked}) must not be above most_asked ({self.most_asked})")
        return self

    def rule(self, source: str) -> SourceRule:
        """The rule of a source, or the rule of those that have none."""
        return self.sources.get(source, SourceRule())


class PairRules(Strict):
    """Which preference pairs are worth learning from, whatever their origin; see training/preferences/pairs.py."""

    most_alike: float = Field(default=0.8, gt=0, le=1, description="share of word pairs in common; more is no choice")
    longest_ratio: float = Field(default=1.5, ge=1, description="words of the longer side over those of the shorter")
    least_copied: float = Field(default=0.6, ge=0, le=1, description="of the chosen side, from the document")


class ClickRules(Strict):
    """When the clicks of two arms say which summary people prefer; see training/preferences/click_pairs.py."""

    p_max: float = Field(default=0.01, gt=0, lt=0.5, description="two-sided")
    least_impressions: int = Field(default=1000, ge=1, description="of each arm, where the other was shown as well")
    least_days: int = Field(default=3, ge=1, description="that all agree")
    least_day_impressions: int = Field(default=100, ge=1, description="of each arm, for a day to have a say")


class LabelConfig(Strict):
    """A teacher writes summaries for queries and documents that have none; see training/generate/label.py."""

    files: list[Path] = Field(
        default=[], description="JSONL of {id, query, document, max_words?, source?}; none: the training positives"
    )
    samples: int = Field(default=4, ge=1, description="summaries for each document, of which the best is kept")
    temperature: float = Field(default=0.7, ge=0, description="0 is greedy, and gives one sample")
    least_copied: float = Field(default=0.9, ge=0, le=1, description="share of a label's bigrams in the document")
    least_words: int = Field(default=8, ge=1, description="shorter labels are fragments, and dropped")
    shard_rows: int = Field(default=64, ge=1, description="documents between two savings")
    ray: bool = Field(default=False, description="label on Ray Data, one teacher a machine (a GPU, if there are any)")
    limit: int | None = Field(default=None, ge=1, description="most documents")

    @model_validator(mode="after")
    def _alternatives(self) -> Self:
        if self.samples > 1 and not self.temperature:
            raise ValueError(f"{self.samples} samples at temperature 0 would all be the same: set samples to 1")
        return self


class PreferencesConfig(Strict):
    """Where preference pairs come from; see training/preferences/build_pairs.py."""

    judgements: list[Path] = Field(default=[], description="JSONL of human judgements")
    clicks: list[Path] = Field(default=[], description="CSV or Parquet files of A/B click logs")
    rules: ClickRules = ClickRules()
    pairs: PairRules = PairRules()
    sampled: int = Field(default=300, ge=0, description="training examples that the student writes samples for")
    samples: int = Field(default=4, ge=2, description="for each")
    temperature: float = Field(default=0.9, gt=0)
    without: list[str] = Field(default=[], description="sources whose answers no wording comes near: abstractive ones")
    least_best: float = Field(default=50, ge=0, le=100, description="ROUGE-2 of the better sample")
    least_gap: float = Field(default=30, gt=0, le=100, description="between the better and the worse one")


class GeneratorConfig(Strict):
    """What writes summaries: an engine, and the student in it; see training/writers."""

    engine: Literal["embedded", "hf", "http", "openai"] = "embedded"
    stage: str | None = Field(default=None, description="whose best adapter the student has; none: the base model")
    prompt_version: str | None = Field(default=None, description="if it is not the run's: v1 for the base model")
    model: str | None = Field(default=None, description="openai: its name; hf: a Hugging Face folder")
    url: str | None = Field(default=None, description="http, openai: where it listens")
    api_key_variable: str | None = Field(default=None, description="openai: the environment variable with the key")
    in_flight: int = Field(default=1, ge=1, le=64, description="at once; latency is measured with one")
    candidates: int | None = Field(
        default=None, ge=0, description="embedded: n-gram candidates in a pass; none: the service's own setting"
    )


class ReportConfig(Strict):
    """One report: a folder of tables and plots."""

    systems: list[str] = Field(description="of evaluate.systems, beside the baselines")
    rows: int | None = Field(default=None, ge=1, description="most rows of each source and kind; all without")
    asked: dict[str, int] = Field(
        default={}, description="`max_words` by source, and no other source; without: people's mean length, of each"
    )


class EvaluateConfig(Strict):
    """What is compared on the test files; see training/evaluate/evaluation.py."""

    folder: Path = Field(default=Path("docs/results"), description="for the reports")
    systems: dict[str, GeneratorConfig] = {}
    reports: dict[str, ReportConfig] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        for title, report in self.reports.items():
            if unknown := set(report.systems) - set(self.systems):
                raise ValueError(f"reports.{title} names {', '.join(sorted(unknown))}, which evaluate.systems has not")
        return self


class LookaheadConfig(Strict):
    """The study of lookahead decoding; see training/lookahead/sweep.py. Every W with every N and every G."""

    folder: Path = Field(default=Path("docs/results/lookahead"), description="for the report")
    rows: int = Field(default=200, ge=1, description="test rows, from the sources in turn")
    model_rows: int = Field(default=40, ge=1, description="the first of them, where shapes with a window are run")
    windows: list[int] = Field(default=[0, 2, 4, 7], min_length=1, description="W; 0 drafts from the text alone")
    ngrams: list[int] = Field(default=[2, 4, 6, 8], min_length=1, description="N")
    verification_sets: list[int] = Field(default=[1, 2, 4, 8], min_length=1, description="G")


class ExportConfig(Strict):
    """What ships, and where to; see training/export/release.py and training/train/select_best.py."""

    stages: list[str] = Field(default=["sft"], min_length=1, description="the best of them by validation ships")
    folder: Path = Field(default=Path("model_repository/weights"), description="for manifest, adapter and model card")
    triton_config: Path | None = Field(default=None, description="the GPU server's config.pbtxt, which names the model")
    version: str = Field(default="0.0.0", min_length=1)
    report: str = Field(default="test", description="of evaluate.reports; its scores go into manifest and card")
    system: str = Field(default="student", description="of evaluate.systems: what ships")


class Fp8Config(Strict):
    """FP8 checkpoints for TensorRT-LLM; see training/fp8/quantize.py."""

    folder: Path = Field(default=Path("build/fp8"), description="for the checkpoints, a quarter of a gigabyte each")
    venv: Path = Field(
        default_factory=lambda: Path(os.environ.get("QUERYGIST_FP8_VENV", ".venv-fp8")),
        description="the environment that holds ModelOpt",
    )
    models: list[Literal["student", "gpt2"]] = Field(
        default=["student", "gpt2"], min_length=1, description="the shipped one, and a random one of the paper's shape"
    )
    calibration_rows: int = Field(default=128, ge=1, description="training rows whose activations give the scales")
    quality_rows: int = Field(default=200, ge=0, description="test rows for what FP8 costs; 0: it is not measured")


class StudentConfig(Strict):
    """What of the model is trained. The adapter of rank 24 is 15 MB; a fully trained model is no adapter."""

    full: bool = Field(default=False, description="every weight instead of LoRA; such a model is not shipped")
    rank: int = Field(default=24, ge=1, le=24)
    alpha: int = Field(default=48, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    bfloat16: bool = Field(
        default=False, description="matrix products in bfloat16, 1.5 times as fast on a CPU that has them (avx512_bf16)"
    )


class TrainerConfig(Strict):
    """One run of the training loop; see training/train/trainer.py."""

    start: str | None = Field(default=None, description="the stage whose best adapter it goes on from; none: the base")
    learning_rate: float = Field(default=4e-4, gt=0)
    warm_up: int = Field(default=20, ge=1, description="steps until the learning rate is reached")
    steps: int = Field(default=320, ge=1)
    rows: int = Field(default=8, ge=1, description="examples in a step")
    micro_rows: int = Field(default=4, ge=1, description="of them at once, as memory allows")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    every: int = Field(default=80, ge=1, description="steps between checkpoints")
    patience: int = Field(default=3, ge=1, description="checkpoints without a better validation before it stops")


class SftConfig(TrainerConfig):
    """Supervised fine-tuning; see training/train/sft.py."""

    longest_target: int | None = Field(
        default=None, ge=8, description="tokens of a summary that are learnt: after its beginning a quote is copying"
    )
    relevance: float = Field(
        default=0.0, ge=0, description="weight of telling at the end of each sentence whether it answers"
    )


class DistillConfig(TrainerConfig):
    """Distillation; see training/train/distill.py."""

    kl_share: float = Field(default=0.0, ge=0, le=1, description="of the teacher's probabilities; 0: its labels alone")
    temperature: float = Field(default=1.0, gt=0, description="that softens both models' logits")
    on_policy: float = Field(default=0.0, ge=0, le=1, description="share of batches with the student's own summaries")
    on_policy_temperature: float = Field(default=0.8, gt=0)
    teacher_stage: str = Field(default="sft", description="a stage of this run, as the white-box teacher")
    teacher_folder: Path | None = Field(default=None, description="a Hugging Face folder instead")


class DpoConfig(TrainerConfig):
    """Preference optimization; see training/train/dpo.py."""

    start: str | None = "sft"
    learning_rate: float = Field(default=5e-5, gt=0)
    beta: float = Field(default=0.1, gt=0)
    smoothing: float = Field(default=0.1, ge=0, lt=0.5, description="share of pairs that may be the wrong way round")
    likelihood: float = Field(default=0.2, ge=0, description="weight of the chosen answer's own likelihood")


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
    teacher: GeneratorConfig = GeneratorConfig(stage="sft")
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
