"""From a configuration to a writer: which engine, and which of the run's students in it."""

from pathlib import Path

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.settings import Settings
from training.config import Config, GeneratorConfig
from training.export import weights_folder
from training.generate.generator import Writer
from training.train.select_best import SHIPPED, select_best
from training.train.trainer import stage_adapter


def create(of: GeneratorConfig, config: Config, *, sampling: bool = False) -> Writer:
    """A writer, loaded. `sampling`: it must write at a temperature. Raises QuerygistError."""
    # A stage brings its own libraries: torch for one engine, OpenVINO for another.
    if of.engine == "embedded":
        if sampling:
            from training.generate.openvino_sampler import SamplingWriter  # noqa: PLC0415

            return SamplingWriter(chosen(of, config), name=name(of, config))
        from training.generate.embedded import EmbeddedWriter  # noqa: PLC0415

        return EmbeddedWriter(chosen(of, config), name=name(of, config), in_flight=of.concurrency)
    if of.engine == "hf":
        return _hugging_face(of, config)
    if of.base_url is None:
        raise ConfigurationError(f"The engine {of.engine} needs a url, such as http://127.0.0.1:8000.")
    if of.engine == "http":
        from training.generate.http import HttpWriter  # noqa: PLC0415

        return HttpWriter(of.base_url, concurrency=of.concurrency)
    if of.model is None:
        raise ConfigurationError("The engine openai needs a model: the name that the endpoint knows it by.")
    from training.generate.openai_compatible import OpenAiCompatibleWriter  # noqa: PLC0415

    return OpenAiCompatibleWriter(of.base_url, of.model, api_key_variable=of.api_key_env, concurrency=of.concurrency)


def name(of: GeneratorConfig, config: Config) -> str:
    """Names the writer in receipts: two that are named alike write alike."""
    adapter = _adapter(of, config)
    student = "base" if adapter is None else sha256_of(adapter / weights_folder.ADAPTER_FILE)[:12]
    candidates = None if of.candidate_tokens is None else f"{of.candidate_tokens} candidates"
    told = (of.engine, of.base_url, of.model, student, of.prompt_version or config.prompt_version, candidates)
    return " ".join(filter(None, told))


def chosen(of: GeneratorConfig, config: Config) -> Settings:
    """Settings that serve this student: its weights folder is kept beside the stage's own."""
    adapter = _adapter(of, config)
    folder = config.work_dir / "weights" / (of.stage or "base")
    version = of.prompt_version or config.prompt_version
    return settings.load(
        weights_dir=weights_folder.assemble(folder, adapter, prompt_version=version),
        max_in_flight=max(8, of.concurrency),
        candidate_tokens=of.candidate_tokens,
    )


def _adapter(of: GeneratorConfig, config: Config) -> Path | None:
    if of.stage is None:
        return None
    return stage_adapter(config.work_dir, select_best(config) if of.stage == SHIPPED else of.stage)


def _hugging_face(of: GeneratorConfig, config: Config) -> Writer:
    from training.generate.transformers_generator import HuggingFaceWriter  # noqa: PLC0415

    adapter = _adapter(of, config)
    folder = None if of.model is None else Path(of.model)
    return HuggingFaceWriter.load(
        folder, adapter, prompt_version=of.prompt_version or config.prompt_version, rows=of.concurrency
    )
