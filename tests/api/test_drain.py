"""The end of a process, scripted with the fake engine."""

import asyncio
import signal

import httpx

from querygist.engines.fake import FakeEngine
from tests.api.test_contract import BODY, problem_of
from tests.api.test_failures import held, release
from tests.conftest import Serve


async def test_what_began_is_finished_and_new_work_refused(fake: FakeEngine, serve: Serve) -> None:
    async with serve(held(fake)) as client:
        begun = asyncio.create_task(client.post("/summarize", json=BODY))
        await fake.until(lambda engine: bool(engine.running))
        client.server.handle_exit(signal.SIGTERM, None)  # type: ignore[attr-defined]
        problem_of(await client.get("/readyz"), 503, "not-ready")
        assert (await client.get("/livez")).status_code == 200
        refused = await client.post("/summarize", json=BODY)
        problem_of(refused, 503, "not-ready")
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"] == "1"
        assert not begun.done()
        release(fake)
        assert (await begun).json()["method"] == "generative"
        while client.server.servers[0].is_serving():  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)


async def test_during_the_delay_work_is_still_taken(fake: FakeEngine, serve: Serve) -> None:
    async with serve(fake, drain_delay_seconds=3600) as client:
        client.server.handle_exit(signal.SIGTERM, None)  # type: ignore[attr-defined]
        problem_of(await client.get("/readyz"), 503, "not-ready")
        assert (await client.post("/summarize", json=BODY)).json()["method"] == "generative"


async def test_work_that_outlasts_the_budget_loses_its_engine(fake: FakeEngine, serve: Serve) -> None:
    closed = asyncio.Event()

    class Closing(FakeEngine):
        async def close(self) -> None:
            self.fail_after = 1
            self.failing = True
            closed.set()
            release(self)

    engine = Closing(fake.identity, fake.reply, gate=asyncio.Semaphore(0))
    async with serve(engine, drain_seconds=0.2) as client:
        begun = asyncio.create_task(client.post("/summarize", json=BODY))
        await engine.until(lambda one: bool(one.running))
        client.server.handle_exit(signal.SIGTERM, None)  # type: ignore[attr-defined]
        await closed.wait()
        response: httpx.Response = await begun
        assert response.json()["method"] == "extractive"
        while client.server.servers[0].is_serving():  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
