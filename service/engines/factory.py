"""From settings to an engine and its tokenizer, everything about the model checked on the way."""

from service import model
from service.engines.base import Engine
from service.engines.embedded import EmbeddedEngine
from service.engines.options import EngineOptions
from service.settings import Settings
from service.tokenization import Tokenizer


def create_engine(settings: Settings) -> tuple[Engine, Tokenizer]:
    """The engine that `settings.engine` names, not yet started. Builds the model when it is not built yet.

    Raises ArtifactError when the model is missing, damaged or not what its manifest says.
    """
    built = model.build(settings)
    engine = EmbeddedEngine(built.identity, engine_options(settings, built), stall_seconds=settings.stall_seconds)
    return engine, Tokenizer(built.tokenizer_path)


def engine_options(settings: Settings, built: model.BuiltModel) -> EngineOptions:
    """The OpenVINO engine's options for a built model."""
    return EngineOptions(
        model=built.path,
        end_id=built.identity.end_id,
        precision=settings.precision,
        threads=settings.threads,
        candidates=settings.candidate_tokens,
        ngram=settings.candidate_ngram,
        max_batch=settings.max_in_flight + 1,  # and the canary
        pass_tokens=settings.pass_tokens,
        kv_cache_gb=settings.kv_cache_gb,
    )
