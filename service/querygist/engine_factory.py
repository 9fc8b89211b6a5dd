"""Make engine, tokenizer and reader from the settings, with everything about the models checked on the way."""

from querygist import artifact
from querygist.artifact.manifest import Manifest
from querygist.artifact.reader_card import ReaderCard
from querygist.engines.base import Engine
from querygist.engines.openvino.engine import EmbeddedEngine
from querygist.engines.openvino.options import EngineOptions
from querygist.extras import extra
from querygist.prompting.tokenizer import Tokenizer
from querygist.reader.reader import Reader
from querygist.settings import Settings


def create_engine(settings: Settings) -> tuple[Engine, Tokenizer]:
    """Return the engine that `settings.engine` names, not yet started; the embedded one's model is built if need be.

    Raises ArtifactError when the model is missing, damaged or not what its manifest says, or when a Triton server that
    answers now serves another one.
    """
    if settings.engine == "triton":
        return _triton(settings)
    built = artifact.build(settings)
    engine = EmbeddedEngine(
        built.identity,
        engine_options(settings, built),
        stall_seconds=settings.stall_seconds,
        known=built.known_answer,
    )
    return engine, Tokenizer(built.tokenizer_path)


def _triton(settings: Settings) -> tuple[Engine, Tokenizer]:
    """Return the gateway's side: the manifest and its tokenizer are enough, and for another base a built tokenizer."""
    with extra("triton"):
        from querygist.engines.triton.engine import TritonEngine  # noqa: PLC0415
        from querygist.engines.triton.identity import check_reachable  # noqa: PLC0415
    if settings.base:
        built = artifact.build(settings)
        identity, known, tokenizer_path = built.identity, built.known_answer, built.tokenizer_path
    else:
        manifest = Manifest.load(settings.weights_dir)
        identity, known = manifest.identity(settings.precision), manifest.known_answer
        tokenizer_path = settings.weights_dir / manifest.tokenizer.file
    addresses = settings.triton_endpoints.split(",")
    check_reachable(addresses, identity)
    engine = TritonEngine(
        identity, addresses, plain=settings.candidate_tokens == 0, stall_seconds=settings.stall_seconds, known=known
    )
    return engine, Tokenizer(tokenizer_path)


def create_reader(settings: Settings) -> Reader | None:
    """Return the reader of the manifest, not yet started; None if it has none, or the settings want none.

    Raises ArtifactError when it is missing, damaged or not what the manifest says.
    """
    entry = Manifest.load(settings.weights_dir).reader if settings.reader else None
    if entry is None:
        return None
    folder = settings.weights_dir / entry.folder
    return Reader(
        ReaderCard.load(folder), folder, threads=settings.reader_threads, stall_seconds=settings.stall_seconds
    )


def engine_options(settings: Settings, built: artifact.BuiltModel) -> EngineOptions:
    """Return the OpenVINO engine's options for a built model."""
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
        prefix_caching=settings.cache_scope == "all" or settings.api_keys_file is None,
    )
