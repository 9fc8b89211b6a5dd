"""A queue that tenants share fairly, each with its requests before its documents of results pages.

Start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996): whoever has been served least, for its weight, is next. One
who comes after a pause begins at the present: it has saved up nothing, and waits behind nobody's backlog.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar

ANYONE = "anyone"
"""The one tenant where there are no keys."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant who asks, the weight of its share, and whether somebody waits for this one document."""

    tenant: str = ANYONE
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


@dataclass(slots=True)
class _Lane(Generic[T]):
    """One tenant's items, in the order of their turns."""

    interactive: deque[T] = field(default_factory=deque)
    pages: deque[T] = field(default_factory=deque)

    def of(self, caller: Caller) -> deque[T]:
        """Return where this caller's items are."""
        return self.interactive if caller.interactive else self.pages

    def __iter__(self) -> Iterator[T]:
        return chain(self.interactive, self.pages)

    @property
    def backlog(self) -> float:
        """Return the cost of all, by weight."""
        return sum(item.cost / item.caller.weight for item in self)


class FairQueue(Generic[T]):
    """Items by tenant."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[T]] = {}
        self._served: dict[str, float] = {}  # cost by weight, on the clock of `_now`; of tenants ahead of it
        self._now = 0.0

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._lanes.values())

    def __len__(self) -> int:
        return sum(len(lane.interactive) + len(lane.pages) for lane in self._lanes.values())

    @property
    def has_interactive(self) -> bool:
        """True while an interactive request waits."""
        return any(lane.interactive for lane in self._lanes.values())

    def push(self, item: T) -> None:
        """Put an item behind its like of its tenant."""
        self._lanes.setdefault(item.caller.tenant, _Lane()).of(item.caller).append(item)

    def remove(self, item: T) -> None:
        """Take an item out. Raises ValueError when it is not there."""
        lane = self._lanes.get(item.caller.tenant, _Lane())
        lane.of(item.caller).remove(item)
        if not (lane.interactive or lane.pages):
            del self._lanes[item.caller.tenant]

    def first(self, may: Callable[[Caller], bool] = lambda _: True) -> T | None:
        """Return the item whose turn it is, of those whose callers `may`; None when there is none."""
        ready: dict[str, T] = {}
        for tenant, lane in self._lanes.items():
            for line in (lane.interactive, lane.pages):
                if line and may(line[0].caller):
                    ready.setdefault(tenant, line[0])
        return ready[min(ready, key=self._start)] if ready else None

    def charge(self, item: T) -> None:
        """Count an item as served, whether it waited here or not."""
        tenant = item.caller.tenant
        self._now = self._start(tenant)
        self._served[tenant] = self._now + item.cost / item.caller.weight
        self._served = {name: until for name, until in self._served.items() if until > self._now}

    def cost_ahead(self, caller: Caller) -> float:
        """Return the cost of those that would be served before an item that `caller` pushes now."""
        own = self._lanes.get(caller.tenant, _Lane())
        before = list(own.interactive if caller.interactive else own)
        start = self._start(caller.tenant) + sum(item.cost / item.caller.weight for item in before)
        ahead = sum(item.cost for item in before)
        own_is_older = False
        for tenant, lane in self._lanes.items():
            own_is_older |= tenant == caller.tenant
            begins = self._start(tenant)
            for item in lane if tenant != caller.tenant else ():
                if begins > start or (begins == start and own_is_older):
                    break
                ahead += item.cost
                begins += item.cost / item.caller.weight
        return ahead

    def last_in_line(self, newcomer: T) -> T:
        """Return the item to turn away where `newcomer`, pushed already, is one too many.

        The tenant with the longest backlog loses the newest of its documents of results pages, or of its requests. Of
        equal tenants it is the newcomer's, which loses the newcomer if no document of a page.
        """
        own = self._lanes[newcomer.caller.tenant]
        longest = max(self._lanes.values(), key=lambda lane: lane.backlog)
        lane = own if own.backlog >= longest.backlog else longest
        return (lane.pages or lane.interactive)[-1]

    def _start(self, tenant: str) -> float:
        return max(self._now, self._served.get(tenant, 0.0))
