"""The configuration of a training run: one YAML file, checked before anything is read or trained.

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
from querygist.schemas import Style
from training.renamed_keys import RENAMED

REPOSITORY = Path(__file__).parent.parent


Examples = Literal["test", "choices"]
"""The sets of examples that systems are measured on."""


class Section(BaseModel):
    """A section of the file: a field that is not known is an error, never ignored, and an old one names the new."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _reject_old_keys(cls, fields: Any) -> Any:
        unknown = [name for name in fields if name not in cls.model_fields] if isinstance(fields, dict) else []
        if renamed := [f"{old} is now {RENAMED[old]}" for old in unknown if RENAMED.get(old) in cls.model_fields]:
            raise ValueError(", ".join(renamed))
        return fields


class SourceRule(Section):
    """Use of the training rows of one source."""

    share: float = Field(default=1.0, ge=0, le=1, description="which share of the rows is kept; 0 drops the source")
    min_words: int = Field(default=1, ge=1, description="rows with a shorter target are fragments, and dropped")
    hard_negatives: bool = Field(default=True, description="false where a similar document answers the query, too")


class DataConfig(Section):
    """The data stage: which rows, and what becomes of them."""

    files: list[Path] = Field(min_length=1, description="JSONL files of rows, of any split")
    held_out: float = Field(
        default=0.1, gt=0, lt=0.5, description="of the rows that name no split: for validation, and as many for test"
    )
    extra_licenses: list[str] = Field(default=[], description="`license` texts allowed beside the built-in ones")
    sources: dict[str, SourceRule] = {}
    min_target_words: int = Field(default=20, ge=5, le=120, description="length asked of a quoting target, at least")
    max_target_words: int = Field(default=80, ge=5, le=120, description="and at most; each row draws one between them")
    lexical_match_share: float = Field(
        default=1.0, ge=0, le=1, description="of the rows that word overlap answers: others teach to read"
    )
    negative_share: float = Field(default=0.4, ge=0, lt=1, description="of all training and validation rows")
    max_test_negatives: int = Field(default=300, ge=0, description="test rows of each kind of negative")
    max_prompt_tokens: int | None = Field(default=None, ge=128, description="if fewer than the model's own limit")
    abstractive_share: float = Field(
        default=1.0, ge=0, le=1, description="of the rows not answered by the document's sentences"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        least, most = self.min_target_words, self.max_target_words
        if least > most:
            raise ValueError(f"min_target_words ({least}) must not be above max_target_words ({most})")
        return self

    def rule(self, source: str) -> SourceRule:
        """Return the rule of a source, or the rule of those that have none."""
        return self.sources.get(source, SourceRule())


class ChoicesConfig(Section):
    """The validation set for choices of sentences; see training/data/choice_validation.py."""

    files: list[Path] = Field(default=[], description="JSONL files of rows, gzipped or not, that it is drawn from")
    held_out: list[Path] = Field(default=[], description="files of test and validation rows: no text shared with them")
    frozen: Path = Field(
        default=Path("training/data/choice_validation.json"), description="ids and hashes of its rows, once drawn"
    )
    answerable: dict[str, int] = Field(default={}, description="rows to draw of each source")
    unanswerable: dict[str, int] = Field(default={}, description="rows whose document does not answer")


class StudentConfig(Section):
    """The part of the model that is trained. The adapter of rank 24 is 15 MB; a fully trained model is no adapter."""

    full_finetune: bool = Field(default=False, description="every weight instead of LoRA; such a model is not shipped")
    lora_r: int = Field(default=24, ge=1, le=24)
    lora_alpha: int = Field(default=48, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    bf16: bool | None = Field(
        default=None,
        description="matrix products in bfloat16; none: on a GPU that has them. A CPU with avx512_bf16 is 1.5 times as "
        "fast, and has to be told so, as results change",
    )


class TrainerConfig(Section):
    """One run of the training loop; see training/train/trainer.py."""

    init_from: str | None = Field(default=None, description="the stage whose best model it goes on from; none: base")
    learning_rate: float = Field(default=4e-4, gt=0)
    warmup_steps: int = Field(default=20, ge=1)
    max_steps: int = Field(default=320, ge=1)
    batch_size: int = Field(default=8, ge=1, description="examples in a step")
    micro_batch_size: int = Field(default=4, ge=1, description="of them at once, as memory allows")
    max_grad_norm: float = Field(default=1.0, gt=0)
    eval_steps: int = Field(default=80, ge=1, description="steps between checkpoints, each of which is validated")
    patience: int = Field(default=3, ge=1, description="checkpoints without a better validation before it stops")


class SftConfig(TrainerConfig):
    """Supervised fine-tuning; see training/train/sft.py."""

    max_target_tokens: int | None = Field(
        default=None, ge=8, description="learnt of a summary: then a quote is copying"
    )
    relevance_weight: float = Field(default=0.0, ge=0, description="of telling which sentences answer")


class DistillConfig(TrainerConfig):
    """Distillation; see training/train/distill.py."""

    kl_weight: float = Field(default=0.0, ge=0, le=1, description="of the teacher's probabilities; 0: its labels alone")
    temperature: float = Field(default=1.0, gt=0, description="that softens both models' logits")
    on_policy: float = Field(default=0.0, ge=0, le=1, description="share of batches with the student's own summaries")
    on_policy_temperature: float = Field(default=0.8, gt=0)
    teacher_stage: str = Field(default="sft", description="a stage of this run, as the white-box teacher")
    teacher_folder: Path | None = Field(default=None, description="a Hugging Face folder instead")


class DpoConfig(TrainerConfig):
    """Direct preference optimization; see training/train/dpo.py."""

    init_from: str | None = "sft"
    learning_rate: float = Field(default=5e-5, gt=0)
    beta: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=0.5, description="share of pairs that may be swapped")
    rpo_alpha: float = Field(default=0.2, ge=0, description="weight of the chosen answer's own likelihood")


class PairRules(Section):
    """Rules for preference pairs to be worth learning from; see training/preferences/pairs.py."""

    max_bigram_overlap: float = Field(default=0.8, gt=0, le=1, description="of the two sides; more is no choice")
    max_length_ratio: float = Field(default=1.5, ge=1, description="words of the longer side over the shorter's")
    min_copied: float = Field(default=0.6, ge=0, le=1, description="share of the chosen side from the document")


class ClickRules(Section):
    """Thresholds for clicks to say which of two summaries people prefer; see training/preferences/click_pairs.py."""

    max_p_value: float = Field(default=0.01, gt=0, lt=0.5, description="two-sided")
    min_impressions: int = Field(default=1000, ge=1, description="of each arm, where the other was shown as well")
    min_days: int = Field(default=3, ge=1, description="that all agree")
    min_daily_impressions: int = Field(default=100, ge=1, description="of each arm, for a day to have a say")


class LabelConfig(Section):
    """Summaries that a teacher writes for queries and documents that have none; see training/generate/label.py."""

    files: list[Path] = Field(
        default=[], description="JSONL of {id, query, document, max_words?, source?}; none: training positives"
    )
    num_generations: int = Field(default=4, ge=1, description="summaries for each document; the best is kept")
    temperature: float = Field(default=0.7, ge=0, description="0 is greedy, and gives one")
    min_copied: float = Field(default=0.9, ge=0, le=1, description="share of a label's bigrams in the document")
    min_words: int = Field(default=8, ge=1, description="shorter labels are fragments, and dropped")
    shard_size: int = Field(default=64, ge=1, description="documents between two savings")
    ray: bool = Field(default=False, description="label on Ray Data, one teacher a machine (a GPU, if there are any)")
    limit: int | None = Field(default=None, ge=1, description="most documents")

    @model_validator(mode="after")
    def _alternatives(self) -> Self:
        if self.num_generations > 1 and not self.temperature:
            raise ValueError(
                f"{self.num_generations} samples at temperature 0 would be the same: set num_generations 1"
            )
        return self


class PreferencesConfig(Section):
    """Sources of preference pairs; see training/preferences/build_pairs.py."""

    judgements: list[Path] = Field(default=[], description="JSONL of human judgements")
    clicks: list[Path] = Field(default=[], description="CSV or Parquet files of A/B click logs")
    click_rules: ClickRules = ClickRules()
    pair_rules: PairRules = PairRules()
    max_prompts: int = Field(default=300, ge=0, description="training examples that the student writes samples for")
    num_generations: int = Field(default=4, ge=2, description="for each")
    temperature: float = Field(default=0.9, gt=0)
    exclude_sources: list[str] = Field(default=[], description="whose answers no wording comes near: abstractive ones")
    min_rouge2: float = Field(default=50, ge=0, le=100, description="of the better sample, against people's answer")
    min_rouge2_gap: float = Field(default=30, gt=0, le=100, description="between the better and the worse one")


class GeneratorConfig(Section):
    """A generator of summaries: an engine, and the student in it; see training/generate."""

    engine: Literal["embedded", "service", "hf", "http", "openai"] = Field(
        default="embedded", description="embedded: the model alone; service: all that a request goes through"
    )
    style: Style = Field(default="write", description="service: the style that is asked for")
    stage: str | None = Field(
        default=None,
        description="whose best model the student is; served: the one in service now; none: the base model",
    )
    prompt_version: str | None = Field(default=None, description="if it is not the run's: v1 for the base model")
    model: str | None = Field(default=None, description="openai: its name; hf: a Hugging Face folder")
    base_url: str | None = Field(default=None, description="http, openai: where it listens")
    api_key_env: str | None = Field(default=None, description="openai: the environment variable with the key")
    concurrency: int = Field(default=1, ge=1, le=64, description="requests at once; latency is measured with one")
    candidate_tokens: int | None = Field(
        default=None, ge=0, description="embedded: drafted in a pass; none: the service's setting"
    )


class ReaderSource(Section):
    """One source's part in what the reader learns from; see training/reader/mixture.py."""

    weight: float = Field(default=1.0, ge=0, description="pages drawn for each answered row, relative to other sources")
    units: bool = Field(default=True, description="false where answers are in people's own words")
    page: bool = Field(default=True, description="false where no page that does not answer is to be had")
    human_negatives: float = Field(default=0.8, ge=0, le=1, description="share of negatives that people wrote or rated")
    human_repeats: int = Field(default=2, ge=1, description="most times that each of them is drawn")
    hard: float = Field(default=0.75, ge=0, description="relative share of made negatives: the most similar page")
    emptied: float = Field(default=0.15, ge=0, description="the row's own page without what answers")
    far: float = Field(default=0.1, ge=0, description="a page with nothing in common")


class ReaderConfig(Section):
    """The reader: one network that scores a page's units, and the page; see training/reader."""

    files: list[Path] = Field(default=[], description="JSONL files of rows, gzipped or not")
    validation_file: Path | None = Field(default=None, description="JSON, `rows` and `excluded`: ids not learnt from")
    test_files: list[Path] = Field(default=[], description="rows of the split test: reported on, never chosen by")
    test_rows: int = Field(default=330, ge=1, description="most of each source")
    folder: Path = Field(default=Path("docs/results/reader"), description="for the reports")
    listed_weight: float = Field(default=2.0, ge=0, description="of BM25 for items and rows: pipeline/fusion.py")
    false_refusals: float = Field(
        default=0.04, ge=0, lt=1, description="share of the validation pages that answer and may be refused"
    )
    sources: dict[str, ReaderSource] = {}
    init_from: Path | None = Field(default=None, description="weights of an earlier run; none: the base's")
    start_share: float = Field(
        default=0.0, ge=0, lt=1, description="of the weights that a run began with in those it ends with (WiSE-FT)"
    )
    examples: int = Field(default=11_200, ge=1, description="pages to learn from, in one pass")
    max_steps: int | None = Field(default=None, ge=1, description="fewer than the pass has; none: all of it")
    answerable_share: float = Field(default=0.58, gt=0, lt=1, description="of the pages of every source")
    headings_share: float = Field(default=0.5, ge=0, le=1, description="of pages with lines: short ones as headings")
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1.5e-4, gt=0, description="of the encoder; linear to zero")
    head_learning_rate: float = Field(default=1e-3, gt=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1, description="of the steps")
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    unit_weight: float = Field(default=1.0, ge=0, description="of the loss of each unit's answer")
    positive_weight: float = Field(default=2.0, gt=0, description="of units that answer, beside those that do not")
    listwise_weight: float = Field(default=0.5, ge=0, description="of the loss of which units of a page answer")
    page_weight: float = Field(default=1.0, ge=0, description="of the loss of the page's answerability")
    similarity_weight: float = Field(default=0.2, ge=0, description="of the loss of the base's own similarity")
    average_decay: float = Field(default=0.99, ge=0, lt=1, description="of the moving average of weights that is kept")
    save_seconds: float = Field(default=180, gt=0, description="between checkpoints")

    def source(self, name: str) -> ReaderSource:
        """Return the part of a source, or the part of those that have none of their own."""
        return self.sources.get(name, ReaderSource())


class ReportConfig(Section):
    """One report: a folder of tables and plots."""

    systems: list[str] = Field(description="of evaluate.systems, beside the baselines")
    examples: Examples = Field(default="test", description="test, or choices: the validation set for choices")
    rows: int | None = Field(default=None, ge=1, description="most rows of each source and kind; all without")
    max_words: dict[str, int] = Field(
        default={}, description="by source, and no other, or `all`; none: people's mean length"
    )


class EvaluateConfig(Section):
    """Systems to compare on the test files; see training/evaluate/evaluation.py."""

    folder: Path = Field(default=Path("docs/results"), description="for the reports")
    systems: dict[str, GeneratorConfig] = {}
    controls: list[str] = Field(default=[], description="of systems: control rows of every report")
    reports: dict[str, ReportConfig] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        for title, report in self.reports.items():
            if unknown := set(report.systems) - set(self.systems):
                raise ValueError(f"reports.{title} names {', '.join(sorted(unknown))}, which evaluate.systems has not")
        if unknown := set(self.controls) - set(self.systems):
            raise ValueError(f"controls names {', '.join(sorted(unknown))}, which evaluate.systems has not")
        return self


class FitQuoteConfig(Section):
    """The fit of the quote's weights on the validation set for choices; see training/fit/fit_quote.py."""

    folder: Path = Field(default=Path("docs/results/quote"), description="for the report")
    grids: dict[str, list[float]] = Field(default={}, description="values to try, by weight; others stay as they ship")
    longer_share: float = Field(
        default=0.0, ge=0, le=1, description="of the objective at 60 words; the rest at people's mean length"
    )
    min_gain: float = Field(default=0.1, ge=0, description="of the objective, 0 to 100, for a weight to be moved")
    rounds: int = Field(default=3, ge=1, description="most visits of each weight")


class LookaheadConfig(Section):
    """The study of lookahead decoding; see training/lookahead/sweep.py. Every W with every N and every G."""

    folder: Path = Field(default=Path("docs/results/lookahead"), description="for the report")
    rows: int = Field(default=200, ge=1, description="test rows, from the sources in turn")
    model_rows: int = Field(default=40, ge=1, description="the first of them, where shapes with a window are run")
    windows: list[int] = Field(default=[0, 2, 4, 7], min_length=1, description="W; 0 drafts from the text alone")
    ngrams: list[int] = Field(default=[2, 4, 6, 8], min_length=1, description="N")
    verification_sets: list[int] = Field(default=[1, 2, 4, 8], min_length=1, description="G")


class ExportConfig(Section):
    """The model that ships, and where to; see training/export/release.py."""

    stages: list[str] = Field(default=["sft"], min_length=1, description="the best of them by validation ships")
    folder: Path = Field(default=Path("model_repository/weights"), description="for manifest, adapter and model card")
    triton_config: Path | None = Field(default=None, description="the GPU server's config.pbtxt, which names the model")
    version: str = Field(default="0.0.0", min_length=1)
    report: str = Field(default="test", description="of evaluate.reports; its scores go into manifest and card")
    system: str = Field(default="student", description="of evaluate.systems: what ships")


class Fp8Config(Section):
    """FP8 checkpoints for TensorRT-LLM; see training/fp8/quantize.py."""

    folder: Path = Field(default=Path("build/fp8"), description="for the checkpoints, a quarter of a gigabyte each")
    venv: Path = Field(
        default_factory=lambda: Path(os.environ.get("FP8_VENV", ".venv-fp8")),
        description="the environment that holds ModelOpt",
    )
    models: list[Literal["student", "gpt2"]] = Field(
        default=["student", "gpt2"], min_length=1, description="shipped; random of the paper's shape"
    )
    calibration_rows: int = Field(default=128, ge=1, description="training rows whose activations give the scales")
    quality_rows: int = Field(default=200, ge=0, description="test rows for what FP8 costs; 0: it is not measured")


class Config(Section):
    """A whole run."""

    seed: int = Field(ge=0)
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="auto: the first that is there")
    work_dir: Path
    prompt_version: str = Field(default="v4", description="the prompt the student is served with")
    data: DataConfig
    choices: ChoicesConfig = ChoicesConfig()
    student: StudentConfig = StudentConfig()
    max_eval_samples: int = Field(default=140, ge=1, description="by which checkpoints, and stages, are compared")
    sft: SftConfig = SftConfig()
    distill: DistillConfig = DistillConfig()
    teacher: GeneratorConfig = GeneratorConfig(stage="sft")
    label: LabelConfig = LabelConfig()
    preferences: PreferencesConfig = PreferencesConfig()
    dpo: DpoConfig = DpoConfig()
    reader: ReaderConfig = ReaderConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    export: ExportConfig = ExportConfig()
    fp8: Fp8Config = Field(default_factory=Fp8Config)
    lookahead: LookaheadConfig = LookaheadConfig()
    fit_quote: FitQuoteConfig = FitQuoteConfig()
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
    rooted: Config = _rooted(config)
    return rooted


def _rooted(value: Any) -> Any:
    """Return the value with every path in it from the repository on; an absolute path stays what it is."""
    if isinstance(value, Path):
        return REPOSITORY / value.expanduser()
    if isinstance(value, list):
        return [_rooted(item) for item in value]
    if isinstance(value, dict):
        return {name: _rooted(item) for name, item in value.items()}
    if isinstance(value, Section):
        return value.model_copy(update={name: _rooted(item) for name, item in value})
    return value


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
