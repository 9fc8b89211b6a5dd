"""pytest tests/unit/pipeline/test_fair_queue.py"""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.pipeline.fair_queue import Caller, FairQueue

NUMBERS = count()


@dataclass(frozen=True)
class Item:
    caller: Caller
    cost: float
    number: int = field(default_factory=lambda: next(NUMBERS))


def items(tenant: str, number: int, cost: float = 1, weight: float = 1, *, pages: bool = False) -> list[Item]:
    return [Item(Caller(tenant, weight, interactive=not pages), cost) for _ in range(number)]


def queue_of(*waiting: Item) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue()
    for item in waiting:
        queue.push(item)
    return queue


def serve(queue: FairQueue[Item], number: int = 1_000) -> list[Item]:
    served = []
    while len(served) < number and (item := queue.first()):
        queue.remove(item)
        queue.charge(item)
        served.append(item)
    return served


def test_one_tenant_is_served_in_its_order() -> None:
    waiting = items("alice", 5)
    assert serve(queue_of(*waiting)) == waiting


def test_tenants_take_turns_by_cost() -> None:
    queue = queue_of(*items("alice", 20, cost=3), *items("bob", 20, cost=1))
    served = serve(queue, 16)
    assert sum(item.cost for item in served if item.caller.tenant == "bob") == 12


def test_a_weight_is_a_share() -> None:
    queue = queue_of(*items("alice", 30, weight=3), *items("bob", 30))
    assert sum(item.caller.tenant == "alice" for item in serve(queue, 20)) == 15


def test_who_comes_after_a_pause_has_saved_up_nothing() -> None:
    queue = queue_of(*items("alice", 10))
    serve(queue)
    for item in (*items("bob", 10), *items("alice", 10)):
        queue.push(item)
    assert [item.caller.tenant for item in serve(queue, 6)].count("bob") in (3, 4)


def test_a_tenants_pages_come_after_its_requests_if_they_may() -> None:
    page, single = items("alice", 1, pages=True)[0], items("alice", 1)[0]
    queue = queue_of(page, single)
    assert serve(queue, 1) == [single]
    assert queue.first(lambda caller: caller.interactive) is None
    assert queue.first() is page


def test_requests_of_one_tenant_do_not_starve_pages_of_another() -> None:
    pages = items("bob", 5, pages=True)
    served = serve(queue_of(*items("alice", 20), *pages), 10)
    assert set(pages) < set(served)


def test_the_newest_of_the_longest_backlog_is_turned_away() -> None:
    flood, own = items("alice", 5), items("bob", 1)
    assert queue_of(*flood, *own).last_in_line(own[0]) is flood[-1]
    pages = items("alice", 1, pages=True)
    assert queue_of(*flood, *own, *pages).last_in_line(own[0]) is pages[0], "its results pages before its requests"
    equal = items("dave", 1)
    assert queue_of(*own, *equal).last_in_line(equal[0]) is equal[0], "of equals, the newcomer's"


def test_an_item_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(ValueError, match="not in deque"):
        queue_of().remove(items("alice", 1)[0])


WAITING = st.lists(
    st.builds(
        Item,
        st.builds(Caller, st.sampled_from("abc"), st.sampled_from((0.5, 1.0, 4.0)), st.booleans()),
        st.sampled_from((1.0, 5.0, 100.0)),
    ),
    max_size=20,
)


@given(before=WAITING, waiting=WAITING, newcomer=st.sampled_from("abcd"), interactive=st.booleans())
def test_all_are_served_and_the_estimate_is_what_happens(
    before: list[Item], waiting: list[Item], newcomer: str, interactive: bool
) -> None:
    """One weight a tenant, as in the key file."""
    weights = {item.caller.tenant: item.caller.weight for item in (*before, *waiting)}

    def weighted(item: Item) -> Item:
        tenant = item.caller.tenant
        return Item(Caller(tenant, weights[tenant], item.caller.interactive), item.cost)

    queue = queue_of(*map(weighted, before))
    serve(queue)
    for item in map(weighted, waiting):
        queue.push(item)
    last = Item(Caller(newcomer, weights.get(newcomer, 1.0), interactive), 1.0)
    estimate = queue.cost_ahead(last.caller)
    queue.push(last)
    served = serve(queue)
    assert len(served) == len(waiting) + 1
    assert len(queue) == 0
    ahead = sum(item.cost for item in served[: served.index(last)])
    assert estimate == pytest.approx(ahead)


@given(waiting=WAITING, rounds=st.integers(1, 20))
def test_no_tenant_gets_more_than_its_share_and_one_item(waiting: list[Item], rounds: int) -> None:
    """Goyal et al., theorem 1: while two wait, what they got by weight differs by at most an item of each."""
    queue = queue_of()
    for item in waiting:
        queue.push(Item(Caller(item.caller.tenant), item.cost))
    left = {name: sum(item.caller.tenant == name for item in waiting) for name in "abc"}
    got = dict.fromkeys("abc", 0.0)
    for item in serve(queue, rounds):
        left[item.caller.tenant] -= 1
        got[item.caller.tenant] += item.cost
        backlogged = [got[name] for name, number in left.items() if number]
        assert not backlogged or max(backlogged) - min(backlogged) <= 200
