"""From a configuration to a generator: which engine, and which of the run's students in it."""

from pathlib import Path

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.settings import Settings
from training.config import Config
from training.export import weights_folder
from training.generate.generator import Generator
from training.sections import WriterConfig
from training.train.select_best import SHIPPED, shipped
from training.train.trainer import stage_adapter


def create(of: WriterConfig, config: Config, *, sampling: bool = False) -> Generator:
    """A generator, loaded. `sampling`: it must write at a temperature. Raises QuerygistError."""
    # A stage brings its own libraries: torch for one engine, OpenVINO for another.
    if of.engine == "embedded":
        if sampling:
            from training.generate.openvino_sampler import OpenVinoSampler  # noqa: PLC0415

            return OpenVinoSampler(chosen(of, config), name=name(of, config))
        from training.generate.embedded import EmbeddedGenerator  # noqa: PLC0415

        return EmbeddedGenerator(chosen(of, config), name=name(of, config), in_flight=of.in_flight)
    if of.engine == "hf":
        return _hugging_face(of, config)
    if of.url is None:
        raise ConfigurationError(f"The engine {of.engine} needs a url, such as http://127.0.0.1:8000.")
    if of.engine == "http":
        from training.generate.http import HttpGenerator  # noqa: PLC0415

        return HttpGenerator(of.url, concurrency=of.in_flight)
    if of.model is None:
        raise ConfigurationError("The engine openai needs a model: the name that the endpoint knows it by.")
    from training.generate.openai_compatible import OpenAIGenerator  # noqa: PLC0415

    return OpenAIGenerator(of.url, of.model, api_key_variable=of.api_key_variable, concurrency=of.in_flight)


def name(of: WriterConfig, config: Config) -> str:
    """Names the generator in receipts: two that are named alike write alike."""
    adapter = _adapter(of, config)
    student = "base" if adapter is None else sha256_of(adapter / weights_folder.ADAPTER_FILE)[:12]
    candidates = None if of.candidates is None else f"{of.candidates} candidates"
    told = (of.engine, of.url, of.model, student, of.prompt_version or config.prompt_version, candidates)
    return " ".join(filter(None, told))


def chosen(of: WriterConfig, config: Config) -> Settings:
    """Settings that serve this student: its weights folder is kept beside the stage's own."""
    adapter = _adapter(of, config)
    folder = config.work_dir / "weights" / (of.stage or "base")
    version = of.prompt_version or config.prompt_version
    return settings.load(
        weights_dir=weights_folder.assemble(folder, adapter, prompt_version=version),
        max_in_flight=max(8, of.in_flight),
        candidate_tokens=of.candidates,
    )


def _adapter(of: WriterConfig, config: Config) -> Path | None:
    if of.stage is None:
        return None
    return stage_adapter(config.work_dir, shipped(config) if of.stage == SHIPPED else of.stage)


def _hugging_face(of: WriterConfig, config: Config) -> Generator:
    from training.generate.transformers_generator import TransformersGenerator  # noqa: PLC0415

    adapter = _adapter(of, config)
    folder = None if of.model is None else Path(of.model)
    return TransformersGenerator.load(
        folder, adapter, prompt_version=of.prompt_version or config.prompt_version, rows=of.in_flight
    )
