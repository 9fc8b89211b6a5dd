"""API keys: who calls, and how often they may. Without a key file the API is open.

The file is JSON: {"tenant": {"sha256": "<of the key>", "per_minute": 600}, ...}. Keys themselves are stored nowhere.
Several hashes, in a list, let a tenant change keys; a changed file holds from the next second on.
"""

import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated

import structlog
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from querygist.errors import ConfigurationError, Forbidden, QuotaExceeded, Unauthorized
from querygist.metrics import Metrics

ANYONE = "anyone"

LOOK_SECONDS = 1.0
"""At most this often the key file is looked at."""

log = structlog.get_logger("querygist.auth")


class Tenant(BaseModel):
    """One tenant's key hashes, a string or a list in the file, and quota (documents a minute)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[
        tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1),
    ]
    per_minute: int = Field(ge=1)


def new_key(tenant: str, per_minute: int) -> tuple[str, str]:
    """Return a fresh key, and a key file with its tenant alone."""
    key = secrets.token_urlsafe(32)
    entry = Tenant(sha256=(hashlib.sha256(key.encode()).hexdigest(),), per_minute=per_minute)
    return key, TypeAdapter(dict[str, Tenant]).dump_json({tenant: entry}, indent=2).decode()


class Authenticator:
    """Checks keys and quotas against the key file."""

    def __init__(self, path: Path | None, metrics: Metrics) -> None:
        """Raises ConfigurationError when the file cannot be read or says something else than the docs."""
        self._path, self._metrics = path, metrics
        self._version = _version(path) if path else None
        self._looked_at = time.monotonic()
        self._keys = _read(path) if path else {}
        # Tenants that left the file stay: a request of theirs may be under way.
        self._tenants = dict(self._keys) if path else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def tenant(self, authorization: str | None) -> str:
        """The tenant's name behind an Authorization header. Raises Unauthorized, Forbidden."""
        if self._tenants is None:
            return ANYONE
        self._look()
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("Send your API key as `Authorization: Bearer KEY`.")
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        found = None
        for name, tenant in self._keys.items():  # every one, so that time tells nothing
            for known in tenant.sha256:
                if hmac.compare_digest(known, digest):
                    found = name
        if found is None:
            raise Forbidden("The API key is not known here. Check it, or ask the operator for one.")
        return found

    def _look(self) -> None:
        """Read the key file again if it has changed; one that cannot be used changes nothing."""
        now = time.monotonic()
        if self._path is None or self._tenants is None or now < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = now
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = _read(self._path)
        except ConfigurationError as error:
            self._metrics.api_keys_outdated.set(1)
            log.error("api_keys_not_read", error=error.detail, tenants=len(self._keys))
            return
        self._tenants |= self._keys
        self._metrics.api_keys_outdated.set(0)
        log.info("api_keys_read", tenants=len(self._keys))

    def spend(self, tenant: str, documents: int) -> None:
        """Take `documents` from the tenant's quota of this minute. Raises QuotaExceeded."""
        if self._tenants is None:
            return
        quota = self._tenants[tenant].per_minute
        if documents > quota:
            raise QuotaExceeded(f"This key may ask for {quota} documents a minute; send at most that many in a batch.")
        item = RateLimitItemPerMinute(quota)
        if not self._limiter.hit(item, tenant, cost=documents):
            raise QuotaExceeded(
                f"This key may ask for {quota} documents a minute, and {documents} more would exceed that. "
                "Wait a little, or ask the operator for a larger quota.",
                retry_after=60 / quota * documents,
            )


def _version(path: Path) -> tuple[int, ...]:
    """Return what tells a changed file, where symbolic links lead: Kubernetes swaps one, editors replace the file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> dict[str, Tenant]:
    try:
        return TypeAdapter(dict[str, Tenant]).validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"QUERYGIST_API_KEYS_FILE: cannot read {path}: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigurationError(
            f"QUERYGIST_API_KEYS_FILE: {path} at {'.'.join(map(str, first['loc'])) or 'top'}: {first['msg']}. "
            'It should be {"tenant": {"sha256": "...", "per_minute": 600}}.'
        ) from None
