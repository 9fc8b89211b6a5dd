"""Quotas that several gateways count together, in Redis: the same algorithm as `quotas.Quotas`, on Redis' clock."""

from querygist.api.quotas import MINUTE
from querygist.redis_connection import RedisConnection

# Milliseconds to wait, 0 when the cost has been taken. A moment further away than a minute is no clock's of today.
_SPEND = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cost, minute = tonumber(ARGV[1]), tonumber(ARGV[2])
local earned_at = tonumber(redis.pcall('GET', KEYS[1])) or now
if earned_at < now or earned_at > now + minute then earned_at = now end
earned_at = earned_at + cost
if earned_at > now + minute then return math.ceil(earned_at - now - minute) end
redis.call('SET', KEYS[1], string.format('%d', earned_at), 'PX', math.ceil(earned_at - now))
return 0
"""


class SharedQuotas:
    """The quotas of all tenants, in one Redis."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis
        self._script = redis.script(_SPEND)

    async def spend(self, tenant: str, seconds: float) -> float | None:
        """Take so many seconds of a tenant's minute; return those it must wait first, None when Redis is silent."""
        key = f"querygist:quota:{tenant}"
        waits = await self._redis.run(self._script, [key], 1000 * seconds, 1000 * MINUTE)
        return None if waits is None else int(waits) / 1000
