"""API keys: who calls, and how often they may. Without a key file the API is open.

The file is JSON: {"tenant": {"sha256": "<of the key>", "per_minute": 600}, ...}. Keys themselves are stored nowhere.
"""

import hashlib
import hmac
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from querygist.api.quotas import Quotas
from querygist.errors import ConfigurationError, Forbidden, Unauthorized
from querygist.pipeline.fair_queue import Caller

ANYONE = "anyone"


class Tenant(BaseModel):
    """One tenant's key hash, quota (documents of ordinary length a minute) and weight of its share under load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    per_minute: int = Field(ge=1)
    weight: float = Field(1, gt=0, le=1000)


class Authenticator:
    """Checks keys and quotas against the key file, read once."""

    def __init__(self, path: Path | None, quotas: Quotas) -> None:
        """Raises ConfigurationError when the file cannot be read or says something else than the docs."""
        self._tenants = _read(path) if path else None
        self._quotas = quotas

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

    async def admit(self, name: str, cost: int, *, interactive: bool) -> Caller:
        """Take `cost` from the tenant's quota; return the tenant as the queues know it. Raises QuotaExceeded."""
        tenant = self._tenants[name] if self._tenants else None
        if tenant is None:
            return Caller(name, interactive=interactive)
        await self._quotas.spend(name, tenant.per_minute, cost)
        return Caller(name, tenant.weight, interactive)


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
