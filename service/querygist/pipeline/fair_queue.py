"""A queue that tenants share fairly, with interactive requests before the documents of results pages.

Start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996): whoever has been served least, for its weight, is next. One
who comes after a pause begins at the present: it has saved up nothing, and waits behind nobody's backlog.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant who asks, the weight of its share, and whether somebody waits for this one document."""

    tenant: str = "anyone"
    weight: float = 1.0
    interactive: bool = True


class Queued(Protocol):
    """Anything that waits: `cost` is the work it stands for."""

    @property
    def caller(self) -> Caller:
        """Return who asks for it."""

    @property
    def cost(self) -> float:
        """Return its cost, in any unit that is the same for all."""


T = TypeVar("T", bound=Queued)


class FairQueue(Generic[T]):
    """Items by tenant, in each tenant's order; apart from them those of results pages."""

    def __init__(self) -> None:
        self._interactive: dict[str, deque[T]] = {}
        self._pages: dict[str, deque[T]] = {}
        self._served: dict[str, float] = {}  # cost by weight, on the clock of `_now`; of tenants ahead of it
        self._now = 0.0

    def __len__(self) -> int:
        return sum(map(len, chain(self._interactive.values(), self._pages.values())))

    @property
    def has_interactive(self) -> bool:
        """True while an interactive request waits."""
        return bool(self._interactive)

    def push(self, item: T) -> None:
        """Put an item behind the others of its tenant."""
        self._lanes(item.caller).setdefault(item.caller.tenant, deque()).append(item)

    def remove(self, item: T) -> None:
        """Take an item out. Raises ValueError when it is not there."""
        lanes, tenant = self._lanes(item.caller), item.caller.tenant
        lane = lanes.get(tenant, deque())
        lane.remove(item)
        if not lane:
            del lanes[tenant]

    def first(self, may: Callable[[Caller], bool] = lambda _: True) -> T | None:
        """Return the item whose turn it is, of those whose callers `may`; None when there is none."""
        for lanes in (self._interactive, self._pages):
            if ready := [tenant for tenant, lane in lanes.items() if may(lane[0].caller)]:
                return lanes[min(ready, key=self._start)][0]
        return None

    def charge(self, item: T) -> None:
        """Count an item as served, whether it waited here or not."""
        tenant = item.caller.tenant
        self._now = self._start(tenant)
        self._served[tenant] = self._now + item.cost / item.caller.weight
        self._served = {name: until for name, until in self._served.items() if until > self._now}

    def cost_ahead(self, caller: Caller) -> float:
        """Return the cost of those that would be served before an item that `caller` pushes now."""
        if caller.interactive:
            return self._ahead(self._interactive, caller)
        return sum(item.cost for item in chain(*self._interactive.values())) + self._ahead(self._pages, caller)

    def last_in_line(self, newcomer: T) -> T:
        """Return the item to turn away where `newcomer`, pushed already, is one too many.

        The latest of the tenant with most waiting; of equals, the newcomer; results pages before interactive requests.
        """
        lanes = self._pages or self._interactive
        longest = max(lanes.values(), key=self._backlog)
        if lanes is self._lanes(newcomer.caller):
            own = lanes[newcomer.caller.tenant]
            if self._backlog(own) >= self._backlog(longest):
                return newcomer
        return longest[-1]

    def _ahead(self, lanes: dict[str, deque[T]], caller: Caller) -> float:
        own = lanes.get(caller.tenant, deque())
        start = self._start(caller.tenant) + self._backlog(own)
        ahead = sum(item.cost for item in own)
        for tenant, lane in lanes.items():
            begins = self._start(tenant)
            for item in lane if tenant != caller.tenant else ():
                if begins > start:
                    break
                ahead += item.cost
                begins += item.cost / item.caller.weight
        return ahead

    def _lanes(self, caller: Caller) -> dict[str, deque[T]]:
        return self._interactive if caller.interactive else self._pages

    def _start(self, tenant: str) -> float:
        return max(self._now, self._served.get(tenant, 0.0))

    @staticmethod
    def _backlog(lane: Iterable[T]) -> float:
        return sum(item.cost / item.caller.weight for item in lane)
