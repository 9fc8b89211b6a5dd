"""Following servers by their names, the resolver scripted or real."""

import asyncio
import contextlib
import io
import socket
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.engines.triton import pool as module
from querygist.engines.triton.pool import EndpointPool, resolve


class Endpoint:
    """Holds `load` requests, and tells of its life."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.load = 0
        self.life: list[str] = []
        self.closed = asyncio.Event()

    def start(self) -> None:
        self.life.append("started")

    async def close(self) -> None:
        self.life.append("closed")
        self.closed.set()


class Names:
    """A name server by script: what it does not know, it fails to resolve, as getaddrinfo does."""

    def __init__(self, **known: set[str]) -> None:
        self.known = known

    async def __call__(self, name: str) -> set[str]:
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.known[name]


@contextlib.asynccontextmanager
async def following(names: Names, *asked: str) -> AsyncGenerator[tuple[EndpointPool, list[Endpoint]]]:
    """EndpointPool, and every endpoint they ever made; a look is taken by the test, not by the clock."""
    made: list[Endpoint] = []

    def connect(address: str) -> Endpoint:
        made.append(Endpoint(address))
        return made[-1]

    servers = EndpointPool(asked, connect, names)  # type: ignore[arg-type]
    await servers.look()
    try:
        yield servers, made
    finally:
        await servers.close()


def addresses(servers: EndpointPool) -> list[str]:
    return sorted(one.address for one in servers.endpoints)


async def test_a_name_stands_for_a_server_at_each_of_its_addresses() -> None:
    async with following(Names(a={"10.0.0.1:8001", "10.0.0.2:8001"}, b={"10.0.0.3:8001"}), "a", "b") as (servers, made):
        assert addresses(servers) == ["10.0.0.1:8001", "10.0.0.2:8001", "10.0.0.3:8001"]
    assert [one.life for one in made] == [["started", "closed"]] * 3


async def test_who_comes_is_greeted_and_who_stays_is_left_alone() -> None:
    names = Names(a={"1:1"})
    async with following(names, "a") as (servers, made):
        names.known["a"] = {"1:1", "2:1"}
        await servers.look()
        assert addresses(servers) == ["1:1", "2:1"]
        assert [one.life for one in made] == [["started"]] * 2


async def test_who_goes_gets_nothing_new_and_finishes_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.001)
    names = Names(a={"1:1", "2:1"})
    async with following(names, "a") as (servers, made):
        made[0].load = 1
        names.known["a"] = {"2:1"}
        await servers.look()
        assert addresses(servers) == ["2:1"]
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert made[0].life == ["started"], "its request is still under way"
        made[0].load = 0
        await asyncio.wait_for(made[0].closed.wait(), 30)
        assert not servers._leaving


async def test_who_comes_back_while_it_leaves_is_a_new_server() -> None:
    names = Names(a={"1:1"})
    async with following(names, "a") as (servers, made):
        made[0].load = 1
        names.known["a"] = {"2:1"}
        await servers.look()
        names.known["a"] = {"1:1"}
        await servers.look()
        assert [one.address for one in made] == ["1:1", "2:1", "1:1"]
        assert servers.endpoints == [made[2]]
    assert made[0].life == ["started", "closed"], "the end comes first"


async def test_a_name_server_that_fails_takes_nobody_away(logged: io.StringIO) -> None:
    names = Names(a={"1:1"}, b={"2:1"})
    async with following(names, "a", "b") as (servers, made):
        del names.known["a"]
        for _ in range(3):
            await servers.look()
        assert addresses(servers) == ["1:1", "2:1"]
        assert [one.life for one in made] == [["started"]] * 2
        assert logged.getvalue().count("triton_name_unresolved") == 1, "told once, not at every look"
        names.known["a"] = {"3:1"}
        await servers.look()
        assert addresses(servers) == ["2:1", "3:1"]


async def test_a_name_that_nobody_knows_yet_is_asked_again() -> None:
    names = Names()
    async with following(names, "a") as (servers, _):
        assert servers.endpoints == []
        names.known["a"] = {"1:1"}
        await servers.look()
        assert addresses(servers) == ["1:1"]


async def test_it_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESOLVE_SECONDS", 0.001)
    names = Names()
    servers = EndpointPool(["a"], Endpoint, names)  # type: ignore[arg-type]
    servers.start()
    try:
        async with asyncio.timeout(30):
            for known in ({"1:1"}, {"1:1", "2:1"}, {"2:1"}):
                names.known["a"] = known
                while addresses(servers) != sorted(known):
                    await asyncio.sleep(0.001)
    finally:
        await servers.close()


@given(st.lists(st.none() | st.sets(st.sampled_from(["1:1", "2:1", "3:1", "4:1"]), min_size=1), max_size=12))
def test_after_every_look_the_servers_are_those_last_told(told: list[set[str] | None]) -> None:
    async def run() -> None:
        names, expected = Names(), set[str]()
        async with following(names, "a") as (servers, made):
            for answer in told:
                names.known = {} if answer is None else {"a": answer}
                expected = expected if answer is None else answer
                await servers.look()
                assert set(addresses(servers)) == expected
                assert len(servers.endpoints) == len(expected)
        assert all(one.life == ["started", "closed"] for one in made)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("127.0.0.1:8001", "127.0.0.1:8001"), ("localhost:8001", "127.0.0.1:8001"), ("[::1]:8001", "[::1]:8001")],
)
async def test_the_systems_resolver(name: str, expected: str) -> None:
    assert await resolve(name) == {expected}


@pytest.mark.parametrize("name", ["nowhere.invalid:8001", "a..b:8001"])
async def test_the_systems_resolver_knows_no_such_name(name: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        await resolve(name)
