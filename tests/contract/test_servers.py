"""Triton servers that come, go, or are the wrong ones."""

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.engines.base import GenerationRequest, Identity
from querygist.engines.triton.engine import TritonEngine
from querygist.errors import ArtifactError, EngineUnavailable
from tests.api.test_contract import events_of, problem_of
from tests.conftest import WEIGHTS, Serve
from tests.contract.conftest import SOON, MakeEngine, MakeScripted, Scripted, claims, until_ready, until_unready
from tests.contract.gateway import PROMPT, STRICT


async def ask(engine: TritonEngine, key: str) -> list[int]:
    """The scripted answer to PROMPT: 24 ids from its middle."""
    stream = engine.generate(GenerationRequest(PROMPT, 90, Deadline.after(SOON), key))
    return [token async for chunk in stream for token in chunk.ids]


ANSWER = PROMPT[38:62]


async def gather(engine: TritonEngine, count: int) -> list[list[int]]:
    return await asyncio.gather(*(ask(engine, f"{number}") for number in range(count)))


async def until_all_well(engine: TritonEngine) -> None:
    async with asyncio.timeout(SOON):
        while not engine.endpoints or any(endpoint.last_error for endpoint in engine.endpoints):
            await asyncio.sleep(0.02)


async def prompt_tokens(server: Scripted) -> float:
    return (await server.samples()).get("prompt_tokens_total", 0.0)


class TestOne:
    async def test_a_server_that_starts_after_the_gateway_is_found(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
    ) -> None:
        server = await scripted(started=False)
        async with serve(engine_on(server)) as client:
            assert server.address in await until_unready(client)
            await server.start()
            await until_ready(client)
            assert (await client.post("/summarize", json=STRICT)).status_code == 200

    async def test_a_server_that_is_killed_and_comes_back_is_used_again(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
    ) -> None:
        server = await scripted(tokens=36, per_pass=1, pass_seconds=0.05)
        async with serve(engine_on(server)) as client:
            await until_ready(client)
            streaming = asyncio.create_task(events_of(client, STRICT, headers={"X-Deadline-Ms": "60000"}))
            await server.until(lambda now: now.get("generation_tokens_total", 0) > 26)  # half of the best sentence
            await server.kill()
            events = await streaming
            assert [events[0][0], events[-1][0]] == ["token", "error"]
            assert events[-1][1]["type"] == "urn:querygist:problem:engine-unavailable"
            await until_unready(client)
            problem_of(await client.post("/summarize", json=STRICT), 503, "engine-unavailable")
            server.script()
            await server.start()
            await until_ready(client)
            assert (await client.post("/summarize", json=STRICT)).status_code == 200


def settings_for(*servers: Scripted) -> settings.Settings:
    addresses = ",".join(server.address for server in servers)
    return settings.load(engine="triton", triton_endpoints=addresses)


OTHERS: list[dict[str, Any]] = [{"vocabulary_size": 50257}, {"end_id": 0}, {"prompt_version": "v0"}]


class TestWrong:
    @pytest.mark.parametrize("change", OTHERS, ids=lambda change: next(iter(change)))
    async def test_another_model_is_refused_at_start_and_never_used(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve, identity: Identity, change: dict[str, Any]
    ) -> None:
        [(field, value)] = change.items()
        server = await scripted(started=False, edit=claims(replace(identity, **change)))
        async with serve(engine_on(server)) as client:
            await until_unready(client, mention="UNAVAILABLE")
            await asyncio.to_thread(create_engine, settings_for(server))  # one that may start later is no mistake
            await server.start()
            reason = await until_unready(client, mention=field)
            assert f"{field} is {value!r} there and {getattr(identity, field)!r} here" in reason
            problem_of(await client.post("/summarize", json=STRICT), 503, "engine-unavailable")
            with pytest.raises(ArtifactError, match=f"{server.address} serves another model.*{field} is {value!r} th"):
                await asyncio.to_thread(create_engine, settings_for(server))

    async def test_a_server_that_comes_back_with_another_model_is_not_used(
        self, scripted: MakeScripted, engine_on: MakeEngine, identity: Identity
    ) -> None:
        server = await scripted()
        engine = engine_on(server)
        await engine.start()
        await until_ready(engine)
        await server.kill()
        await until_unready(engine)
        server.configure(claims(replace(identity, version="0.0.0")))
        await server.start()
        await until_unready(engine, mention="version is '0.0.0' there")
        await engine.close()

    async def test_the_right_model_is_taken_at_start(self, scripted: MakeScripted) -> None:
        server, nowhere = await scripted(), await scripted(started=False)
        engine, _ = await asyncio.to_thread(create_engine, settings_for(server, nowhere))
        await engine.start()
        await until_ready(engine)  # type: ignore[arg-type]
        await engine.close()

    async def test_a_model_that_answers_wrongly_is_not_used(self, scripted: MakeScripted) -> None:
        known = Manifest.load(WEIGHTS).known_answer
        assert known is not None
        server = await scripted(known={"prompt": known.prompt, "answer": known.answer[::-1]})
        engine, _ = await asyncio.to_thread(create_engine, settings_for(server))
        await engine.start()
        await until_unready(engine, mention="known to give")  # type: ignore[arg-type]
        server.script()
        await until_ready(engine)  # type: ignore[arg-type]
        await engine.close()

    async def test_a_model_of_another_name_is_not_there(self, scripted: MakeScripted, engine_on: MakeEngine) -> None:
        def rename(config: ModelConfig) -> None:
            config.name = "ensemble"

        engine = engine_on(await scripted(edit=rename))
        await engine.start()
        assert "NOT_FOUND" in await until_unready(engine, mention="does not answer")
        with pytest.raises(EngineUnavailable, match="NOT_FOUND"):
            await ask(engine, "a")
        await engine.close()

    @pytest.mark.parametrize("missing", ["pad_id", "lookahead_window_size"])
    async def test_a_model_with_other_tensors_is_told(
        self, scripted: MakeScripted, engine_on: MakeEngine, logged: io.StringIO, missing: str
    ) -> None:
        def remove(config: ModelConfig) -> None:
            kept = [one for one in config.input if one.name != missing]
            del config.input[:]
            config.input.extend(kept)

        engine = engine_on(await scripted(edit=remove))
        await engine.start()
        await until_unready(engine, mention="serves another model than the gateway speaks to")
        with pytest.raises(EngineUnavailable, match="serves another model"):
            await ask(engine, "a")
        await engine.close()
        assert "triton_endpoint_up" not in logged.getvalue(), "the canary sends what requests send"


class TestTwo:
    async def test_load_is_spread(self, scripted: MakeScripted, engine_on: MakeEngine) -> None:
        servers = [await scripted(hang_after=0) for _ in range(2)]
        engine = engine_on(*servers)
        await engine.start()
        await until_all_well(engine)
        asking = asyncio.create_task(gather(engine, 8))
        for server in servers:
            await server.until(lambda now: now.get("prompt_tokens_total", 0) >= 4 * len(PROMPT))
        assert [endpoint.load for endpoint in engine.endpoints] == [4, 4]
        for server in servers:
            server.script()
        assert await asking == [ANSWER] * 8
        await engine.close()

    async def test_unbegun_requests_fail_over_and_a_server_may_return(
        self, scripted: MakeScripted, engine_on: MakeEngine
    ) -> None:
        dying, staying = await scripted(hang_after=0), await scripted()
        engine = engine_on(dying, staying)
        await engine.start()
        await until_all_well(engine)
        asking = asyncio.create_task(gather(engine, 8))
        await dying.until(lambda now: now.get("prompt_tokens_total", 0) >= 4 * len(PROMPT))
        await dying.kill()
        assert await asking == [ANSWER] * 8
        await engine.ready()
        assert await gather(engine, 4) == [ANSWER] * 4, "one is enough"

        dying.script()
        await dying.start()
        await until_all_well(engine)
        before = await prompt_tokens(staying)
        assert await gather(engine, 8) == [ANSWER] * 8
        await dying.until(lambda now: now.get("prompt_tokens_total", 0) >= 4 * len(PROMPT))
        assert await prompt_tokens(staying) < before + 8 * len(PROMPT)
        await engine.close()

    async def test_what_has_begun_ends_with_its_server_and_no_other(
        self, scripted: MakeScripted, engine_on: MakeEngine
    ) -> None:
        dying, staying = await scripted(hang_after=1), await scripted(hang_after=1)
        engine = engine_on(dying, staying)
        await engine.start()
        await until_all_well(engine)
        streams = [
            engine.generate(GenerationRequest(PROMPT, 90, Deadline.after(SOON), f"{number}")) for number in range(2)
        ]
        begun = [list((await anext(stream)).ids) for stream in streams]
        assert begun == [ANSWER[:6]] * 2
        assert [endpoint.load for endpoint in engine.endpoints] == [1, 1]
        await dying.kill()
        staying.script()
        ends = await asyncio.gather(*(_rest(stream) for stream in streams), return_exceptions=True)
        assert sorted(type(end).__name__ for end in ends) == ["EngineUnavailable", "list"]
        assert ANSWER[6:] in ends
        await engine.close()


async def _rest(stream: Any) -> list[int]:
    return [token async for chunk in stream for token in chunk.ids]
