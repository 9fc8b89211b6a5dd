"""Every setting: `QUERYGIST_<NAME>` in the environment, checked once at start."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from querygist.errors import ConfigurationError
from querygist.files import MODEL_REPOSITORY

Precision = Literal["int8", "fp32"]
"""What the engine computes with: 8-bit weights, or fp32 arithmetic over weights stored in 16 bits."""


def _default_cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "querygist"


class Settings(BaseSettings):
    """The gateway's settings, with units in their descriptions. docs/configuration.md's table is made from these."""

    model_config = SettingsConfigDict(env_prefix="QUERYGIST_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    root_path: str = Field(
        "", pattern=r"^(/[\w.~-]+)*$", description="path prefix that a proxy in front strips, such as /querygist"
    )
    cors_origins: str = Field(
        "",
        pattern=r"^(\*|https?://[^\s,/]+(,https?://[^\s,/]+)*)?$",
        description="origins whose pages may call the API, SCHEME://HOST[:PORT], separated by commas; *: any",
    )
    max_connections: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        description="open connections; more are answered 503. Lowered to what open files allow",
    )
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level logged")

    weights_dir: Path = Field(
        MODEL_REPOSITORY / "weights",
        description="folder with manifest.json, tokenizer.json and the adapter",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir, description="folder for the downloaded base model and the built one"
    )
    base: str | None = Field(
        None,
        description="another base model instead of the manifest's: a .gguf file, a Hugging Face folder or a hub id; "
        "serves without the adapter",
    )

    engine: Literal["embedded", "triton"] = Field("embedded", description="which engine answers")
    triton_endpoints: str = Field(
        "127.0.0.1:8001",
        pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$",
        description="gRPC addresses of the Triton servers, HOST:PORT, separated by commas; "
        "a name with several addresses stands for a server at each",
    )
    precision: Precision = Field("int8", description="weights and arithmetic: int8, or fp32 (exact, and larger)")
    threads: int = Field(0, ge=0, le=1024, description="threads of the OpenVINO engine; 0: one per core")
    candidate_tokens: int = Field(
        5,
        ge=0,
        le=64,
        description="n-gram candidates verified in each forward pass; 0: one token at a time "
        "(in Triton 0 turns lookahead off, else the server's holds)",
    )
    candidate_ngram: int = Field(3, ge=1, le=16, description="longest n-gram looked up in the prompt for candidates")
    pass_tokens: int = Field(
        512, ge=64, le=8192, description="most tokens in one forward pass; longer prompts are prefilled in pieces"
    )
    kv_cache_gb: int = Field(1, ge=1, le=64, description="memory for keys and values, GB")
    reader: bool = Field(True, description="choose what answers with the reader; false: by BM25 alone, and no score")
    reader_threads: int = Field(2, ge=1, le=64, description="threads of the reader")
    stall_seconds: float = Field(
        30,
        gt=0,
        description="an engine or reader process that is silent this long with work in hand is killed and restarted, "
        "and a stream from Triton given up, s",
    )
    triton_venv: Path = Field(
        Path(".venv-triton"), description="virtual environment with the Triton server of `querygist triton`"
    )

    max_in_flight: int = Field(
        8, ge=1, le=256, description="requests in the engine at once; with Triton, in each healthy server"
    )
    max_waiting: int = Field(64, ge=0, description="requests that may wait for a place; more are refused at once")
    default_deadline_ms: int = Field(10_000, ge=1, description="deadline of a request that names none, ms")
    max_deadline_ms: int = Field(60_000, ge=1, description="longest deadline; longer ones are cut to it, ms")

    cache_mb: float = Field(64, ge=0, description="memory for cached answers, MB; 0 caches nothing")
    cache_ttl_seconds: float = Field(3600, gt=0, description="age at which a cached answer expires, s")

    redis_url: SecretStr | None = Field(
        None,
        description="Redis in which gateways share answers and computations, redis://HOST:PORT; none: each has its own",
    )

    drain_seconds: float = Field(30, ge=0, description="longest wait for requests in flight after SIGTERM, s")
    drain_delay_seconds: float = Field(
        0, ge=0, description="after SIGTERM, time to keep answering while load balancers notice /readyz, s"
    )
    api_keys_file: Path | None = Field(
        None, description="JSON file of tenants, their keys' sha256 and quotas; none: the API is open"
    )


def load(**overrides: object) -> Settings:
    """Settings from the environment, `overrides` on top. Raises ConfigurationError naming each bad variable."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"QUERYGIST_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']} (it is {item['input']!r})"
            for item in error.errors()
        ]
        raise ConfigurationError("Bad settings:\n  " + "\n  ".join(lines)) from None
