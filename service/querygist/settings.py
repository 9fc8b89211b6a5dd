"""Every setting: `QUERYGIST_<NAME>` in the environment, checked once at start."""

import difflib
import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from querygist.errors import ConfigurationError
from querygist.files import MODEL_REPOSITORY

Precision = Literal["int8", "fp32"]
"""What the engine computes with: 8-bit weights, or fp32 arithmetic over weights stored in 16 bits."""

PREFIX = "QUERYGIST_"

_OF_A_SERVICE = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_ADDRESS_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://")
"""Variables, after the prefix, that Kubernetes sets in pods beside a Service `querygist` or `querygist-...`; and values
of a last one, `..._PORT`, which may be named as a setting is."""


def _default_cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "querygist"


class Settings(BaseSettings):
    """The gateway's settings, with units in their descriptions. docs/configuration.md's table is made from these."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    operations_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port of its own for /metrics, /docs and /readyz; none: they are on the API's port",
    )
    open: bool = Field(False, description="true: serve without API keys on an address that others can reach")
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
    max_waiting: int = Field(
        64,
        ge=0,
        description="requests that may wait for a place in the engine, and as many for the reader and for long texts; "
        "more are refused at once",
    )
    default_deadline_ms: int = Field(10_000, ge=1, description="deadline of a request that names none, ms")
    max_deadline_ms: int = Field(60_000, ge=1, description="longest deadline; longer ones are cut to it, ms")

    cache_mb: float = Field(64, ge=0, description="memory for cached answers, MB; 0 caches nothing")
    cache_ttl_seconds: float = Field(3600, gt=0, description="age at which a cached answer expires, s")

    cache_scope: Literal["tenant", "all"] = Field(
        "tenant",
        description="who shares cached answers: each tenant alone, or all (then a tenant can tell by the time that an "
        "answer takes whether another asked the same of the same text)",
    )

    redis_url: SecretStr | None = Field(
        None,
        description="Redis in which gateways share answers and computations, redis://HOST:PORT; none: each has its own",
    )
    redis_secret: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        None,
        description="signs what lies in Redis: 32 characters or more, the same in all gateways; needed with a Redis",
    )

    drain_seconds: float = Field(30, ge=0, description="longest wait for requests in flight after SIGTERM, s")
    drain_delay_seconds: float = Field(
        0, ge=0, description="after SIGTERM, time to keep answering while load balancers notice /readyz, s"
    )
    api_keys_file: Path | None = Field(
        None, description="JSON file of tenants, their keys' sha256 and quotas; none: no key is asked for"
    )

    @field_validator("port", "operations_port", mode="before")
    @classmethod
    def _not_of_a_service(cls, value: object, info: ValidationInfo) -> object:
        """Take the default instead of the address that Kubernetes puts into a variable of this name."""
        if isinstance(value, str) and _ADDRESS_OF_A_SERVICE.match(value):
            return cls.model_fields[str(info.field_name)].default
        return value

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.redis_url and not self.redis_secret:
            raise ValueError(
                "QUERYGIST_REDIS_SECRET is missing: with QUERYGIST_REDIS_URL all gateways need the same secret of at "
                "least 32 characters (`openssl rand -hex 32` makes one)"
            )
        if self.operations_port == self.port:
            raise ValueError(f"QUERYGIST_OPERATIONS_PORT: {self.port} is QUERYGIST_PORT too; choose another one")
        return self

    @property
    def lets_everyone_in(self) -> bool:
        """True when others can reach the address and no key is asked of them."""
        return self.api_keys_file is None and not _is_loopback(self.host)


def load(**overrides: object) -> Settings:
    """Settings from the environment, `overrides` on top. Raises ConfigurationError naming each bad variable."""
    wrong = list(_unknown_variables())
    try:
        chosen = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong += map(_message, error.errors())
    if wrong:
        raise ConfigurationError("Bad settings:\n  " + "\n  ".join(wrong))
    return chosen


def load_to_listen(**overrides: object) -> Settings:
    """Settings of a process that serves the API. Raises ConfigurationError as `load` does, and when everyone would be
    let in and QUERYGIST_OPEN does not say so.
    """
    chosen = load(**overrides)
    if chosen.lets_everyone_in and not chosen.open:
        raise ConfigurationError(
            f"Others can reach the address {chosen.host!r} (QUERYGIST_HOST), and there are no API keys. Name a key "
            "file in QUERYGIST_API_KEYS_FILE (`querygist api-key TENANT` makes one), listen on 127.0.0.1, or set "
            "QUERYGIST_OPEN=true to let everyone in."
        )
    return chosen


def _is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`, an address or a name; one that nobody knows is not trusted."""
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def _unknown_variables() -> Iterator[str]:
    names = Settings.model_fields
    for variable, value in os.environ.items():
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name.lower() in names or _OF_A_SERVICE.fullmatch(name):
            continue
        if not (name.endswith("_PORT") and _ADDRESS_OF_A_SERVICE.match(value)):
            (nearest,) = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0)
            yield f"{variable} is no setting; the nearest is {PREFIX}{nearest.upper()}"


def _message(item: ErrorDetails) -> str:
    """Return a line about one bad value, with the value unless it is a secret or of many settings at once."""
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = str(item["loc"][0])
    field = Settings.model_fields.get(name)
    secret = field is not None and SecretStr.__name__ in repr(field.annotation)
    shown = "" if secret else f" (it is {item['input']!r})"
    return f"{PREFIX}{name.upper()}: {message}{shown}"
