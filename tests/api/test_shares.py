"""Tenants beside each other: who waits for whom, and what one learns of another."""

import asyncio
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from querygist.engines.fake import FakeEngine
from querygist.pipeline import text_work
from querygist.pipeline.job import Job
from tests.api.test_contract import BODY, DOCUMENT, QUERY, problem_of
from tests.api.test_failures import held, release, sample
from tests.conftest import Serve
from tests.fake_reader import FakeReader

TENANTS = ("alice", "bob")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Each tenant's key is its name."""
    path = tmp_path / "keys.json"
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in TENANTS}
    path.write_text(json.dumps({name: {"sha256": digest, "per_minute": 100_000} for name, digest in hashes.items()}))
    return path


def of(tenant: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant}"} | headers


def numbered(number: int) -> dict[str, Any]:
    return BODY | {"document": f"{DOCUMENT} This is page {number}."}


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


class Order:
    """Asks, and keeps the order in which answers come."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.came: list[str] = []
        self._client = client
        self.asked: list[asyncio.Task[None]] = []

    def ask(self, name: str, number: int, tenant: str) -> None:
        async def asking() -> None:
            answer = await self._client.post("/summarize", json=numbered(number), headers=of(tenant))
            assert answer.json()["method"] == "generative"
            self.came.append(name)

        self.asked.append(asyncio.create_task(asking()))

    async def all(self) -> list[str]:
        await asyncio.gather(*self.asked)
        return self.came


async def test_a_tenant_does_not_wait_behind_anothers_flood(fake: FakeEngine, serve: Serve, keys: Path) -> None:
    async with serve(held(fake), api_keys_file=keys, max_in_flight=1) as client:
        order = Order(client)
        for number in range(6):
            order.ask("alice", number, "alice")
        await until(lambda: client.gateway.metrics.registry.get_sample_value("querygist_num_requests_waiting") == 5)  # type: ignore[attr-defined]
        order.ask("bob", 100, "bob")
        await until(lambda: client.gateway.metrics.registry.get_sample_value("querygist_num_requests_waiting") == 6)  # type: ignore[attr-defined]
        release(fake)
        assert (await order.all()).index("bob") == 1, "after the one that was in the engine"


async def test_a_single_goes_before_the_documents_of_a_page(fake: FakeEngine, serve: Serve) -> None:
    async with serve(held(fake), max_in_flight=1) as client:
        documents = [{"id": str(n), "document": f"{DOCUMENT} This is page {n}."} for n in range(6)]
        page = asyncio.create_task(client.post("/summarize/batch", json={"query": QUERY, "documents": documents}))
        await fake.until(lambda engine: engine.calls == 1)
        single = asyncio.create_task(client.post("/summarize", json=numbered(100)))
        await until(lambda: client.gateway.metrics.registry.get_sample_value("querygist_num_requests_waiting") == 1)  # type: ignore[attr-defined]
        release(fake)
        answered = await asyncio.wait({page, single}, return_when=asyncio.FIRST_COMPLETED)
        assert answered[0] == {single}
        assert len((await page).text.splitlines()) == 6


class TestLongDocuments:
    LONG = DOCUMENT + " The fox runs over the hill." * 400

    @pytest.fixture
    def held_thread(self, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """Cleaning a long document takes until this is set."""
        go, clean = threading.Event(), Job.of

        def slow(query: str, fields: Any, *rest: Any, **options: Any) -> Job:
            if len(fields.document) > text_work.LONG_CHARACTERS:
                go.wait(10)
            return clean(query, fields, *rest, **options)

        monkeypatch.setattr(Job, "of", slow)
        return go

    async def test_what_would_be_late_is_answered_from_its_beginning(
        self, fake: FakeEngine, serve: Serve, held_thread: threading.Event
    ) -> None:
        """However long the others' documents are: nobody is late by them."""
        async with serve(fake) as client:
            held_thread.set()
            await client.post("/summarize", json=BODY | {"document": self.LONG})  # how fast it goes is known now
            held_thread.clear()
            busy = [
                asyncio.create_task(client.post("/summarize", json=BODY | {"document": f"{self.LONG} {number}" * 3}))
                for number in range(3)
            ]
            await asyncio.sleep(0)
            admission = client.gateway.summarizer._texts._long.admission  # type: ignore[attr-defined]
            await until(lambda: admission.waiting == 2)
            for _ in range(100):
                admission._whole.learn(10, 10, finished=True)  # a slow thread: a character a second
            body = BODY | {"document": self.LONG + " It is late."}
            answer = (await client.post("/summarize", json=body, headers={"X-Deadline-Ms": "2000"})).json()
            assert (answer["method"], answer["reason"]) == ("extractive", "deadline")
            assert "Fleming" in answer["summary"]
            assert answer["usage"]["truncated"] is True
            late = await client.post("/summarize", json=body | {"fallback": "none"}, headers={"X-Deadline-Ms": "2000"})
            problem_of(late, 504, "deadline-exceeded")
            held_thread.set()
            await asyncio.gather(*busy)

    async def test_one_whose_beginning_says_nothing_is_a_503(
        self, fake: FakeEngine, serve: Serve, held_thread: threading.Event
    ) -> None:
        """That the page does not answer would be a claim about what nobody has read."""
        async with serve(fake, max_waiting=0) as client:
            busy = asyncio.create_task(client.post("/summarize", json=BODY | {"document": self.LONG}))
            admission = client.gateway.summarizer._texts._long.admission  # type: ignore[attr-defined]
            await until(lambda: admission.in_flight == 1)
            for document, status in ((self.LONG + " More.", 200), ("Moss is green. " * 1000 + DOCUMENT, 503)):
                answer = await client.post("/summarize", json=BODY | {"document": document})
                assert answer.status_code == status
            problem_of(answer, 503, "overloaded")
            held_thread.set()
            assert (await busy).json()["method"] == "generative"


class TestCaches:
    @pytest.mark.parametrize(("scope", "shared"), [("tenant", False), ("all", True)])
    async def test_a_tenant_learns_of_anothers_answers_only_where_it_may(
        self, fake: FakeEngine, serve: Serve, keys: Path, scope: str, shared: bool
    ) -> None:
        reader = FakeReader("Fleming")
        async with serve(fake, reader, api_keys_file=keys, cache_scope=scope) as client:
            first, again, other = [
                (await client.post("/summarize", json=BODY, headers=of(tenant))).json()["cached"]
                for tenant in ("alice", "alice", "bob")
            ]
            assert (first, again, other) == (False, True, shared)
            assert len(reader.pages) == 1 + (not shared), "nor by what the reader has read"

    async def test_tenants_do_not_join_in_flight_either(self, fake: FakeEngine, serve: Serve, keys: Path) -> None:
        async with serve(held(fake), api_keys_file=keys) as client:
            asked = [asyncio.create_task(client.post("/summarize", json=BODY, headers=of(one))) for one in TENANTS]
            await fake.until(lambda engine: engine.calls == 2)
            release(fake)
            await asyncio.gather(*asked)
            assert await sample(client, "querygist_cache_hits_total", kind="in_flight") == 0


async def test_a_long_document_costs_its_length(fake: FakeEngine, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"alice": {"sha256": hashlib.sha256(b"alice").hexdigest(), "per_minute": 3}}))
    async with serve(fake, api_keys_file=path) as client:
        body = BODY | {"document": DOCUMENT + " The fox runs." * 1200}
        assert (await client.post("/summarize", json=body, headers=of("alice"))).status_code == 200
        spent = await client.post("/summarize", json=BODY, headers=of("alice"))
        problem_of(spent, 429, "quota-exceeded")
        assert 15 < int(spent.headers["retry-after"]) <= 20
