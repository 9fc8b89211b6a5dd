"""From a configuration to a generator: an engine, and one of the run's students in it.

`resolve` only reads; `materialize` writes the weights folder that an engine loads; `create` does both and starts it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.settings import Settings
from training.config import Config, GeneratorConfig
from training.export import weights_folder
from training.generate.generator import Generator
from training.train.device import choose_device
from training.train.select_best import SHIPPED, select_best
from training.train.trainer import stage_adapter

SERVED = "served"
"""The name, instead of a stage's, of the model that the service has now: what a new one is compared with."""


@dataclass(frozen=True, slots=True)
class Student:
    """One of the run's models: the base, with the best adapter of a stage if it has one (and that file's hash).

    `weights_dir`: where `materialize` puts it.
    """

    adapter: Path | None
    adapter_sha256: str | None
    prompt_version: str
    weights_dir: Path

    def identity(self) -> Identity:
        """Return the identity of the embedded engine when it serves this student."""
        service = settings.load()
        identity = Manifest.load(service.weights_dir).identity(service.precision)
        return replace(identity, adapter_sha256=self.adapter_sha256, prompt_version=self.prompt_version)


def resolve(of: GeneratorConfig, config: Config) -> Student:
    """Find the student, writing nothing. Raises ConfigurationError when its stage has not been run."""
    adapter = None
    if of.stage == SERVED:
        return _served(config)
    if of.stage is not None:
        adapter = stage_adapter(config.work_dir, select_best(config) if of.stage == SHIPPED else of.stage)
        if not (adapter / weights_folder.ADAPTER_FILE).is_file():
            raise ConfigurationError(
                f"{adapter} holds a whole model, not an adapter. Generate with `engine: hf` and `model: {adapter}`."
            )
    return Student(
        adapter,
        None if adapter is None else sha256_of(adapter / weights_folder.ADAPTER_FILE),
        of.prompt_version or config.prompt_version,
        config.work_dir / "weights" / (of.stage or "base"),
    )


def _served(config: Config) -> Student:
    folder = settings.load().weights_dir
    manifest = Manifest.load(folder)
    return Student(
        folder if manifest.adapter else None,
        manifest.adapter.sha256 if manifest.adapter else None,
        manifest.prompt_version,
        config.work_dir / "weights" / SERVED,
    )


def materialize(student: Student) -> Path:
    """Write the student's weights folder, as the service reads it, and return it."""
    return weights_folder.assemble(student.weights_dir, student.adapter, prompt_version=student.prompt_version)


def name(of: GeneratorConfig, config: Config) -> str:
    """Return the generator's name in fingerprints: two that are named alike generate alike."""
    student = resolve(of, config)
    model = "base" if student.adapter_sha256 is None else student.adapter_sha256[:12]
    candidates = None if of.candidate_tokens is None else f"{of.candidate_tokens} candidates"
    service = f"{of.style} {_reader()}" if of.engine == "service" else None
    parts = (of.engine, service, of.base_url, of.model, model, student.prompt_version, candidates)
    return " ".join(filter(None, parts))


def _reader() -> str:
    """Return what tells one reader in service from another."""
    entry = Manifest.load(settings.load().weights_dir).reader
    return entry.card_sha256[:12] if entry else "no reader"


def create(of: GeneratorConfig, config: Config, *, sampling: bool = False) -> Generator:
    """Return a generator, loaded. `sampling`: it must generate at a temperature. Raises QuerygistError."""
    # Each brings its own libraries: torch, or OpenVINO, or a client.
    if of.engine == "embedded":
        serving = _settings(of, materialize(resolve(of, config)))
        if sampling:
            from training.generate.openvino_sampler import OpenVinoSampler  # noqa: PLC0415

            return OpenVinoSampler(serving, name=name(of, config))
        from training.generate.embedded import EmbeddedGenerator  # noqa: PLC0415

        return EmbeddedGenerator(serving, name=name(of, config), concurrency=of.concurrency)
    if of.engine == "service":
        from training.generate.service import ServiceGenerator  # noqa: PLC0415

        serving = _settings(of, materialize(resolve(of, config)))
        return ServiceGenerator(serving, name=name(of, config), style=of.style, concurrency=of.concurrency)
    if of.engine == "hf":
        from training.generate.transformers_generator import TransformersGenerator  # noqa: PLC0415

        student, folder = resolve(of, config), None if of.model is None else Path(of.model)
        return TransformersGenerator.load(
            folder,
            student.adapter,
            prompt_version=student.prompt_version,
            device=choose_device(config.device),
            batch_size=of.concurrency,
        )
    if of.base_url is None:
        raise ConfigurationError(f"The engine {of.engine} needs a base_url, such as http://127.0.0.1:8000.")
    if of.engine == "http":
        from training.generate.http import HttpGenerator  # noqa: PLC0415

        return HttpGenerator(of.base_url, concurrency=of.concurrency)
    if of.model is None:
        raise ConfigurationError("The engine openai needs a model: the name that the endpoint knows it by.")
    from training.generate.openai_compatible import OpenAIGenerator  # noqa: PLC0415

    return OpenAIGenerator(of.base_url, of.model, api_key_variable=of.api_key_env, concurrency=of.concurrency)


def _settings(of: GeneratorConfig, weights_dir: Path) -> Settings:
    places = max(8, of.concurrency)
    return settings.load(weights_dir=weights_dir, max_in_flight=places, candidate_tokens=of.candidate_tokens)
