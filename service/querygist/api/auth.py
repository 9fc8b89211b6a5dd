"""API keys: who calls, and how often they may. Without a key file the API is open.

The file is JSON: {"tenant": {"sha256": "<of the key>", "per_minute": 600}, ...}. Keys themselves are stored nowhere.
"""

import hashlib
import hmac
from pathlib import Path

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from querygist.errors import ConfigurationError, Forbidden, QuotaExceeded, Unauthorized

ANYONE = "anyone"


class Tenant(BaseModel):
    """One tenant's key hash and quota (documents a minute)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    per_minute: int = Field(ge=1)


class Authenticator:
    """Checks keys and quotas against the key file, read once."""

    def __init__(self, path: Path | None) -> None:
        """Raises ConfigurationError when the file cannot be read or says something else than the docs."""
        self._tenants = _read(path) if path else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def tenant(self, authorization: str | None) -> str:
        """The tenant's name behind an Authorization header. Raises Unauthorized, Forbidden."""
        if self._tenants is None:
            return ANYONE
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("Send your API key as `Authorization: Bearer KEY`.")
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        found = None
        for name, tenant in self._tenants.items():  # every one, so that time tells nothing
            if hmac.compare_digest(tenant.sha256, digest):
                found = name
        if found is None:
            raise Forbidden("The API key is not known here. Check it, or ask the operator for one.")
        return found

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
