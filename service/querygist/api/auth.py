"""API keys: who calls, and how often they may. Without a key file the API is open.

The file is JSON: {"tenant": {"sha256": "<of the key>", "per_minute": 600}, ...}. Keys themselves are stored nowhere.
Several hashes, in a list, let a tenant change keys; a changed file holds from the next second on.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from querygist.api.quotas import Quotas
from querygist.errors import ConfigurationError, Forbidden, Unauthorized
from querygist.metrics import Metrics
from querygist.pipeline.fair_queue import ANYONE, Caller

LOOK_SECONDS = 1.0
"""At most this often the key file is looked at."""

log = structlog.get_logger("querygist.auth")


class Tenant(BaseModel):
    """One tenant's key hashes, a string or a list in the file, quota (documents a minute) and weight under load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[
        tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1),
    ]
    per_minute: int = Field(ge=1)
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """The sender of a request: a tenant as the key file had it then, or anyone, where there is no such file."""

    name: str
    tenant: Tenant | None


def new_key(tenant: str, per_minute: int) -> tuple[str, str]:
    """Return a fresh key, and a key file with its tenant alone."""
    key = secrets.token_urlsafe(32)
    entry = Tenant(sha256=(hashlib.sha256(key.encode()).hexdigest(),), per_minute=per_minute)
    return key, TypeAdapter(dict[str, Tenant]).dump_json({tenant: entry}, indent=2).decode()


class Authenticator:
    """Checks keys and quotas against the key file."""

    def __init__(self, path: Path | None, quotas: Quotas, metrics: Metrics) -> None:
        """Raises ConfigurationError when the file cannot be read or says something else than the docs."""
        self._path, self._quotas, self._metrics = path, quotas, metrics
        self._version = _version(path) if path else None
        self._looked_at = time.monotonic()
        self._keys = _read(path) if path else {}

    def authenticate(self, authorization: str | None) -> Known:
        """Return who is behind an Authorization header. Raises Unauthorized, Forbidden."""
        if self._path is None:
            return Known(ANYONE, None)
        self._look(self._path)
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("Send your API key as `Authorization: Bearer KEY`.")
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        found = self._keys.get(digest)  # how long that takes tells of hashes, not of keys
        if found is None:
            raise Forbidden("The API key is not known here. Check it, or ask the operator for one.")
        return found

    async def admit(self, known: Known, cost: int, *, interactive: bool) -> Caller:
        """Take `cost` from the tenant's quota; return the tenant as the queues know it. Raises QuotaExceeded."""
        if known.tenant is None:
            return Caller(known.name, interactive=interactive)
        await self._quotas.spend(known.name, known.tenant.per_minute, cost)
        return Caller(known.name, known.tenant.weight, interactive)

    def _look(self, path: Path) -> None:
        """Read the key file again if it has changed; one that cannot be used changes nothing."""
        now = time.monotonic()
        if now < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = now
        version = _version(path)
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = _read(path)
        except ConfigurationError as error:
            self._metrics.api_keys_outdated.set(1)
            log.error("api_keys_not_read", error=error.detail, keys=len(self._keys))
            return
        self._metrics.api_keys_outdated.set(0)
        log.info("api_keys_read", keys=len(self._keys))


def _version(path: Path) -> tuple[int, ...]:
    """Return what tells a changed file, where symbolic links lead: Kubernetes swaps one, editors replace the file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> dict[str, Known]:
    """Return the tenants by the hashes of their keys."""
    try:
        tenants = TypeAdapter(dict[str, Tenant]).validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"QUERYGIST_API_KEYS_FILE: cannot read {path}: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigurationError(
            f"QUERYGIST_API_KEYS_FILE: {path} at {'.'.join(map(str, first['loc'])) or 'top'}: {first['msg']}. "
            'It should be {"tenant": {"sha256": "...", "per_minute": 600}}.'
        ) from None
    return {digest: Known(name, tenant) for name, tenant in tenants.items() for digest in tenant.sha256}
