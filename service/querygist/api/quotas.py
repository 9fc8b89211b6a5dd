"""Quotas: how much a tenant may ask for in a minute, counted by what it costs.

The generic cell rate algorithm: a token bucket that keeps one number for each tenant, the moment at which all that it
has spent will have been earned again. On the monotonic clock: a wall clock may jump.
"""

import time
from collections.abc import Awaitable, Callable

from querygist.errors import QuotaExceeded

MINUTE = 60.0
"""Seconds in which a whole quota is earned, and the longest for which one may be saved up."""

CHARACTERS = 8_000
"""A document of so many counts as one, and each further piece of this length as another."""

SharedSpend = Callable[[str, float], Awaitable[float | None]]
"""Spends seconds of a tenant's time for all gateways together, and returns those it must wait first: 0 when it need
not, None when that is not known."""


def cost_of(document: str) -> int:
    """Return the documents of ordinary length that this one costs."""
    return max(1, -(-len(document) // CHARACTERS))


class Quotas:
    """The quotas of all tenants. For one event loop."""

    def __init__(self, shared: SharedSpend | None = None) -> None:
        self._shared = shared
        self._earned_at: dict[str, float] = {}

    async def spend(self, tenant: str, per_minute: int, cost: int) -> None:
        """Take `cost` from what `tenant` may spend. Raises QuotaExceeded, and takes nothing then."""
        if cost > per_minute:
            raise QuotaExceeded(
                f"This key may ask for {per_minute} documents a minute, and this request counts as {cost}, one for "
                f"each {CHARACTERS:,} characters of a document. Send fewer or shorter ones, or ask for a larger quota."
            )
        seconds = cost * MINUTE / per_minute
        wait = await self._shared(tenant, seconds) if self._shared else None
        if wait is None:
            wait = self._spend_here(tenant, seconds)
        if wait > 0:
            raise QuotaExceeded(
                f"This key may ask for {per_minute} documents a minute, and {cost} more would exceed that now. Wait a "
                "little, or ask the operator for a larger quota.",
                retry_after=wait,
            )

    def _spend_here(self, tenant: str, seconds: float) -> float:
        now = time.monotonic()
        earned_at = max(now, self._earned_at.get(tenant, now)) + seconds
        if earned_at - now > MINUTE + 1e-6:
            return earned_at - now - MINUTE
        self._earned_at[tenant] = earned_at
        return 0.0
