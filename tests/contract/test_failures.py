"""Requests that fail at a real Triton, seen through the gateway."""

import asyncio
import io
import time

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from tests.api.test_contract import BODY, events_of, problem_of
from tests.conftest import Serve
from tests.contract.calls import connected
from tests.contract.conftest import SOON, MakeEngine, MakeScripted, until_ready, until_unready
from tests.contract.gateway import STRICT, gateway_on, post, questions


class TestOverload:
    async def test_a_full_queue_is_told_and_harms_nobody(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve, logged: io.StringIO
    ) -> None:
        def short_queue(config: ModelConfig) -> None:
            config.dynamic_batching.default_queue_policy.max_queue_size = 1

        server = await scripted(edit=short_queue)
        async with gateway_on(serve, engine_on(server), max_in_flight=16) as client:
            server.script(hold_seconds=0.3)
            responses = await asyncio.gather(*(post(client, body) for body in questions(8)))
            taken = [response for response in responses if response.status_code == 200]
            refused = [response for response in responses if response.status_code != 200]
            assert taken, "at least one is at work and one waits"
            assert refused
            for response in refused:
                problem = problem_of(response, 503, "overloaded")
                assert server.address in problem["detail"]
                assert int(response.headers["retry-after"]) >= 1
            assert (await client.get("/readyz")).status_code == 200
            extracts = await asyncio.gather(
                *(post(client, body | {"fallback": "extractive"}) for body in questions(8 + 8)[8:])
            )
            assert {one.status_code for one in extracts} == {200}
            reasons = {one.json()["reason"] for one in extracts}
            assert "overloaded" in reasons
            assert len(reasons) > 1, "and some were written"
            server.script()
            assert {(await post(client, body)).status_code for body in questions(8)} == {200}
        assert "triton_endpoint_down" not in logged.getvalue(), "a full queue is no illness"


async def test_requests_that_end_during_a_check_harm_no_server(scripted: MakeScripted) -> None:
    """Triton 2.51 crashes when it is asked whether a request is cancelled that it has seen the last of."""

    def look_often(config: ModelConfig) -> None:
        config.parameters["cancellation_check_period_ms"].string_value = "1"

    server = await scripted(edit=look_often, tokens=2, per_pass=1)
    async with asyncio.timeout(SOON), connected(server.address) as raw:
        for _ in range(50):
            await asyncio.gather(*(raw.ask([5, 6, 7, 8], streaming=True) for _ in range(8)))


class TestModel:
    async def test_an_error_is_the_requests_own(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve, logged: io.StringIO
    ) -> None:
        server = await scripted(error_after=0)
        async with gateway_on(serve, engine_on(server)) as client:
            problem = problem_of(await post(client, STRICT), 503, "engine-unavailable")
            assert "script" not in problem["detail"], "the model's own words stay in Triton's log"
            assert (await post(client, BODY)).json()["method"] == "extractive"
            server.script(error_after=4, tokens=36)  # more than half of the sentence that answers
            events = await events_of(client, STRICT)
            assert [name for name, _ in events] == ["token"] * (len(events) - 1) + ["error"]
            assert events[-1][1]["type"] == "urn:querygist:problem:engine-unavailable"
            server.script()
            assert (await post(client, STRICT)).status_code == 200
        assert "triton_endpoint_down" not in logged.getvalue()

    @pytest.mark.parametrize("passes", [0, 4])
    async def test_a_process_that_dies_ends_what_it_held(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve, passes: int
    ) -> None:
        """Triton itself never tells those: they would wait for their deadlines."""
        server = await scripted(die_after=passes, tokens=36)
        async with gateway_on(serve, engine_on(server)) as client:
            if passes:
                events = await events_of(client, STRICT, headers={"X-Deadline-Ms": "60000"})
                assert [events[0][0], events[-1][0]] == ["token", "error"]
                assert events[-1][1]["type"] == "urn:querygist:problem:engine-unavailable"
            else:
                problem_of(await post(client, STRICT), 503, "engine-unavailable")
            assert "process" in await until_unready(client)
            assert "process" in problem_of(await post(client, STRICT), 503, "engine-unavailable")["detail"]

    async def test_a_model_that_falls_silent_ends_the_stream(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
    ) -> None:
        server = await scripted(hang_after=4, tokens=36)
        async with gateway_on(serve, engine_on(server, stall_seconds=0.5)) as client:
            events = await events_of(client, STRICT, headers={"X-Deadline-Ms": "60000"})
            assert [events[0][0], events[-1][0]] == ["token", "error"]
            assert "silent" in events[-1][1]["detail"]
            server.script()
            await until_ready(client)
            assert (await post(client, questions(1)[0])).status_code == 200

    async def test_a_model_that_hangs_is_not_ready_until_it_moves_again(
        self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
    ) -> None:
        server = await scripted()
        async with gateway_on(serve, engine_on(server, stall_seconds=0.5)) as client:
            server.script(hang_after=0, spare=0)
            assert "silent for 0.5 s" in await until_unready(client)
            problem_of(await post(client, STRICT), 503, "engine-unavailable")
            assert (await post(client, BODY)).json()["method"] == "extractive"
            server.script()
            await until_ready(client)
            assert (await post(client, STRICT)).status_code == 200

    async def test_a_slow_model_answers(self, scripted: MakeScripted, engine_on: MakeEngine, serve: Serve) -> None:
        server = await scripted()
        async with gateway_on(serve, engine_on(server, stall_seconds=0.2)) as client:  # too short for this model
            server.script(tokens=6, per_pass=6, pass_seconds=0.8)
            answer = asyncio.create_task(post(client, STRICT))
            await until_unready(client)
            assert (await answer).status_code == 200, "what it holds may still be answered"


async def test_without_any_server_there_is_an_extract_or_a_503_at_once(
    scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
) -> None:
    nowhere = [await scripted(started=False) for _ in range(2)]
    async with serve(engine_on(*nowhere)) as client:
        reason = await until_unready(client, mention="UNAVAILABLE")
        assert all(server.address in reason for server in nowhere)
        began = time.monotonic()
        assert (await post(client, BODY)).json()["method"] == "extractive"
        problem_of(await post(client, STRICT), 503, "engine-unavailable")
        events = await events_of(client, BODY | {"query": "penicillin"}, headers={"X-Deadline-Ms": "60000"})
        assert events[-1][1]["method"] == "extractive"
        assert time.monotonic() - began < 30, "nobody waits for the deadline of 60 s"
