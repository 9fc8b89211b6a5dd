"""What happens when things go wrong, scripted with the fake engine."""

import asyncio
import hashlib
import io
import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from querygist.client import Client, ProblemError
from querygist.engines.base import Chunk, Status
from querygist.engines.fake import FakeEngine
from querygist.errors import ConfigurationError
from querygist.pipeline.generation import token_limit
from querygist.prompting import templates
from querygist.prompting.tokenizer import Tokenizer
from querygist.schemas import Answer
from tests.api.test_contract import BODY, DOCUMENT, QUERY, events_of, problem_of
from tests.conftest import Serve
from tests.verbatim import is_quoted

STYLES = ("write", "quote")
REASONS = ("overload", "deadline", "engine", "checker")

BEFORE_TEXT = 12
"""Ids of an answer that may all be held back: the opening, a label, and half of the first sentence."""


def held(fake: FakeEngine) -> FakeEngine:
    """The engine generates nothing until its gate is opened."""
    fake.gate = asyncio.Semaphore(0)
    return fake


def release(fake: FakeEngine, chunks: int = 10_000) -> None:
    assert fake.gate is not None
    for _ in range(chunks):
        fake.gate.release()


def queries(count: int) -> list[dict[str, Any]]:
    return [BODY | {"query": f"{QUERY}, question {number}"} for number in range(count)]


async def sample(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    return client.gateway.metrics.registry.get_sample_value(name, labels) or 0.0  # type: ignore[attr-defined]


class TestDeadline:
    async def test_an_extract_comes_before_the_deadline(self, fake: FakeEngine, serve: Serve) -> None:
        """The fastest of a few: other processes of this machine may hold up any one of them."""
        async with serve(held(fake)) as client:
            totals = []
            for number in range(5):
                body = BODY | {"document": f"{DOCUMENT} {number}"}
                answer = (await client.post("/summarize", json=body, headers={"X-Deadline-Ms": "300"})).json()
                assert answer["method"] == "extractive"
                totals.append(answer["timings_ms"]["total"])
            assert min(totals) < 300

    async def test_an_extract_takes_the_models_place(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            answer = (await client.post("/summarize", json=BODY, headers={"X-Deadline-Ms": "1000"})).json()
            assert (answer["method"], answer["reason"], answer["cached"]) == ("extractive", "deadline", False)
            assert "Fleming" in answer["summary"]
            assert is_quoted(Answer.model_validate(answer), DOCUMENT)
            assert await sample(client, "querygist_fallbacks_total", reason="deadline") == 1
            await fake.until(lambda engine: not engine.running)
            assert fake.cancelled == 1, "nobody waits for it: the engine stops"
            release(fake)
            again = (await client.post("/summarize", json=BODY)).json()
            assert (again["method"], again["cached"]) == ("generative", False), "extracts are never cached"

    async def test_without_fallback_it_is_a_504(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            body = BODY | {"fallback": "none"}
            problem_of(
                await client.post("/summarize", json=body, headers={"X-Deadline-Ms": "100"}), 504, "deadline-exceeded"
            )
            assert await sample(client, "querygist_requests_total", outcome="deadline-exceeded", method="none") == 1

    async def test_a_stream_that_began_ends_with_an_error_event(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            release(fake, 4)
            events = await events_of(client, BODY, headers={"X-Deadline-Ms": "1000"})
            assert [name for name, _ in events][-1] == "error"
            assert events[0][0] == "token"
            assert events[-1][1]["type"] == "urn:querygist:problem:deadline-exceeded"
            assert events[-1][1]["request_id"]

    async def test_a_stream_that_has_not_begun_gives_the_extract(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            events = await events_of(client, BODY, headers={"X-Deadline-Ms": "1000"})
            assert [name for name, _ in events] == ["token", "done"]
            assert events[-1][1]["method"] == "extractive"

    async def test_a_stream_that_does_not_begin_in_time_gives_the_extract(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            headers = {"X-Deadline-Ms": "60000", "X-First-Text-Ms": "300"}
            events = await events_of(client, BODY, headers=headers)
            assert [name for name, _ in events] == ["token", "done"]
            assert events[-1][1]["method"] == "extractive"
            await fake.until(lambda engine: not engine.running)
            assert fake.cancelled == 1, "nobody waits for it: the engine stops"

    async def test_late_first_text_without_fallback_is_a_504(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            headers = {"X-Deadline-Ms": "60000", "X-First-Text-Ms": "100"}
            body = BODY | {"stream": True, "fallback": "none"}
            problem = problem_of(await client.post("/summarize", json=body, headers=headers), 504, "deadline-exceeded")
            assert "before the summary began" in problem["detail"]

    async def test_admission_learns_when_a_stream_began(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            asked = asyncio.create_task(client.post("/summarize", json=BODY))
            await fake.until(lambda engine: engine.running)
            release(fake, 8)
            await asyncio.wait({asked}, timeout=0.3)  # between its first text and its end
            release(fake)
            await asked
            admission = client.gateway.summarizer._writer._admission  # type: ignore[attr-defined]
            prompt = len(DOCUMENT) // 4 + 128
            tokens = prompt + token_limit(BODY.get("max_words", 60), fake.identity.output_limit)
            assert admission._whole.seconds(tokens) - admission._beginning.seconds(prompt) >= 0.29

    async def test_a_first_text_in_time_may_be_followed_by_later_ones(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            release(fake, 4)
            headers = {"X-Deadline-Ms": "60000", "X-First-Text-Ms": "1000"}
            asked = asyncio.create_task(events_of(client, BODY, headers=headers))
            ended, _ = await asyncio.wait({asked}, timeout=1.2)
            assert not ended
            release(fake)
            assert (await asked)[-1][1]["method"] == "generative"

    async def test_a_whole_answer_has_no_first_text(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            headers = {"X-Deadline-Ms": "60000", "X-First-Text-Ms": "1"}
            asked = asyncio.create_task(client.post("/summarize", json=BODY, headers=headers))
            await fake.until(lambda engine: engine.running)
            release(fake)
            assert (await asked).json()["method"] == "generative"

    async def test_an_extract_does_not_claim_to_answer_what_it_does_not(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            body = BODY | {"query": "quantum chromodynamics"}
            answer = (await client.post("/summarize", json=body, headers={"X-Deadline-Ms": "100"})).json()
            assert (answer["answerable"], answer["summary"], answer["sources"]) == (False, "", [])


class TestOverload:
    async def test_what_does_not_fit_gets_an_extract_or_a_503_at_once(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake), max_in_flight=2, max_waiting=1) as client:
            held_back = [asyncio.create_task(client.post("/summarize", json=body)) for body in queries(3)]
            while await sample(client, "querygist_num_requests_waiting") < 1:
                await asyncio.sleep(0.005)
            for _ in "ab":
                extract = (await client.post("/summarize", json=BODY)).json()
                found = (extract["method"], extract["reason"], extract["cached"])
                assert found == ("extractive", "overloaded", False), "fallbacks are never cached"
            refused = await client.post("/summarize", json=BODY | {"fallback": "none"})
            problem_of(refused, 503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert await sample(client, "querygist_sheds_total", reason="overload") == 3
            assert await sample(client, "querygist_fallbacks_total", reason="overload") == 2
            assert await sample(client, "querygist_requests_total", outcome="fallback", method="extractive") == 2
            release(fake)
            assert {(await task).json()["method"] for task in held_back} == {"generative"}


class TestCancellation:
    async def test_a_client_that_leaves_frees_its_place(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            task = asyncio.create_task(client.post("/summarize", json=BODY))
            await fake.until(lambda engine: bool(engine.running))
            task.cancel()
            await fake.until(lambda engine: not engine.running)
            assert fake.cancelled == 1
            while client.gateway.lifecycle.in_flight:  # type: ignore[attr-defined]
                await asyncio.sleep(0.005)
            assert await sample(client, "querygist_num_requests_running") == 0
            assert await sample(client, "querygist_requests_total", outcome="cancelled", method="none") == 1

    async def test_a_client_that_leaves_while_it_sends_is_nobodys_mistake(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(fake) as client:
            _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(b"POST /summarize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: 99\r\n\r\n{")
            while not client.gateway.lifecycle.in_flight:  # type: ignore[attr-defined]
                await asyncio.sleep(0.005)
            writer.close()
            while client.gateway.lifecycle.in_flight:  # type: ignore[attr-defined]
                await asyncio.sleep(0.005)
            assert await sample(client, "querygist_requests_total", outcome="cancelled", method="none") == 1
            assert await sample(client, "querygist_requests_total", outcome="invalid-request", method="none") == 0

    async def test_a_client_that_leaves_a_stream_frees_its_place(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            release(fake, 3)
            async with client.stream("POST", "/summarize", json=BODY | {"stream": True}) as response:
                async for _ in response.aiter_lines():
                    break
            await fake.until(lambda engine: not engine.running)
            assert fake.cancelled == 1

    async def test_leaving_a_batch_stops_all_of_it(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            documents = [{"id": str(n), "document": f"{DOCUMENT} {n}"} for n in range(5)]
            task = asyncio.create_task(client.post("/summarize/batch", json={"query": QUERY, "documents": documents}))
            await fake.until(lambda engine: len(engine.running) == 5)
            task.cancel()
            await fake.until(lambda engine: not engine.running)
            assert fake.cancelled == 5

    async def test_a_batch_uses_the_places_of_every_server(self, fake: FakeEngine, serve: Serve) -> None:
        fake.status = lambda: Status({"a:1": True, "b:1": True, "c:1": False, "d:1": True})  # type: ignore[method-assign]
        async with serve(held(fake), max_in_flight=1) as client:
            documents = [{"id": str(n), "document": f"{DOCUMENT} {n}"} for n in range(5)]
            task = asyncio.create_task(client.post("/summarize/batch", json={"query": QUERY, "documents": documents}))
            async with asyncio.timeout(30):
                await fake.until(lambda engine: len(engine.running) == 3)
            release(fake)
            assert len((await task).text.splitlines()) == 5

    async def test_a_leader_that_leaves_does_not_fail_its_followers(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(held(fake)) as client:
            leader = asyncio.create_task(client.post("/summarize", json=BODY))
            await fake.until(lambda engine: bool(engine.running))
            followers = [asyncio.create_task(client.post("/summarize", json=BODY)) for _ in range(5)]
            while await sample(client, "querygist_cache_hits_total", kind="in_flight") < 5:
                await asyncio.sleep(0.005)
            leader.cancel()
            release(fake)
            answers = [(await follower).json() for follower in followers]
            assert {answer["method"] for answer in answers} == {"generative"}
            assert len({answer["summary"] for answer in answers}) == 1
            assert (fake.calls, fake.cancelled) == (1, 0)


class TestDeadEngine:
    async def test_before_the_first_token_it_is_an_extract(self, fake: FakeEngine, serve: Serve) -> None:
        fake.failing = True
        async with serve(fake) as client:
            extract = (await client.post("/summarize", json=BODY)).json()
            assert (extract["method"], extract["reason"], extract["cached"]) == ("extractive", "engine", False)
            problem_of(await client.post("/summarize", json=BODY | {"fallback": "none"}), 503, "engine-unavailable")
            assert await sample(client, "querygist_fallbacks_total", reason="engine") == 1
            problem_of(await client.get("/readyz"), 503, "not-ready")
            assert await sample(client, "querygist_engine_up") == 0
            assert (await client.get("/livez")).status_code == 200
            fake.failing = False
            assert (await client.get("/readyz")).status_code == 200
            assert await sample(client, "querygist_engine_up") == 1
            assert (await client.post("/summarize", json=BODY)).json()["method"] == "generative"

    async def test_after_the_first_token_it_is_an_error_event(self, fake: FakeEngine, serve: Serve) -> None:
        fake.fail_after = 3
        async with serve(fake) as client:
            events = await events_of(client, BODY)
            assert [name for name, _ in events][-1] == "error"
            assert events[-1][1]["status"] == 503
            fake.failing = False
            whole = (await client.post("/summarize", json=BODY | {"query": f"{QUERY}, again"})).json()
            assert whole["method"] == "extractive", "a JSON answer has sent nothing yet"

    async def test_a_crash_in_the_middle_of_a_stream_is_an_error_event(self, fake: FakeEngine, serve: Serve) -> None:
        class Crashing(FakeEngine):
            async def generate(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Chunk, None]:
                written: list[int] = []
                async for chunk in super().generate(*args, **kwargs):
                    yield chunk
                    written += chunk.ids
                    if len(written) > BEFORE_TEXT:
                        raise ValueError("a bug")

        async with serve(Crashing(fake.identity, fake.reply)) as client:
            events = await events_of(client, BODY)
            assert {name for name, _ in events[:-1]} == {"token"}
            assert events[-1][0] == "error"
            assert events[-1][1]["type"] == "urn:querygist:problem:internal"

    async def test_a_crash_of_ours_is_a_500_that_tells_nothing(
        self, fake: FakeEngine, serve: Serve, logged: io.StringIO
    ) -> None:
        def crash(_ids: object) -> list[int]:
            raise ValueError(f"secret {DOCUMENT}")

        fake.reply = crash
        async with serve(fake) as client:
            problem = problem_of(await client.post("/summarize", json=BODY), 500, "internal")
            assert "secret" not in json.dumps(problem)
            lines = await client.post(
                "/summarize/batch", json={"query": QUERY, "documents": [{"id": "a", "document": DOCUMENT}]}
            )
            assert json.loads(lines.text)["problem"]["status"] == 500
        log = logged.getvalue()
        assert "ValueError" in log
        assert "secret" not in log
        assert "Fleming" not in log


class TestChecker:
    """A model that does not write what the document says of the query: the quote is the answer."""

    @pytest.mark.parametrize(
        "text", [templates.NO_ANSWER, "The moon is made of cheese.", "Mass production began during the war.", ""]
    )
    @pytest.mark.parametrize("fallback", ["extractive", "none"])
    async def test_a_text_without_the_answer_becomes_the_quote(
        self, fake: FakeEngine, serve: Serve, tokenizer: Tokenizer, text: str, fallback: str
    ) -> None:
        fake.reply = lambda ids: tokenizer.encode(text)
        body = BODY | {"fallback": fallback}
        async with serve(fake) as client:
            events = await events_of(client, body)
            assert [name for name, _ in events] == ["token", "done"]
            assert events[0][1]["text"] == events[1][1]["summary"]
            whole = (await client.post("/summarize", json=body)).json()
            quote = (await client.post("/summarize", json=body | {"style": "quote"})).json()
            for answer, cached in ((events[1][1], False), (whole, True)):
                assert (answer["method"], answer["reason"]) == ("extractive", "checker")
                assert (answer["summary"], answer["citations"]) == (quote["summary"], quote["citations"])
                assert answer["cached"] == cached
                assert answer["usage"]["prompt_tokens"] > 0, "the model was asked"
            assert fake.calls == 1
            assert await sample(client, "querygist_fallbacks_total", reason="checker") == 1
            assert await sample(client, "querygist_requests_total", outcome="ok", method="extractive") == 3
            assert await sample(client, "querygist_requests_total", outcome="fallback", method="extractive") == 0

    async def test_labels_and_fences_reach_no_reader(
        self, fake: FakeEngine, serve: Serve, tokenizer: Tokenizer
    ) -> None:
        fake.reply = lambda ids: tokenizer.encode(
            "It was discovered in 1928B by the Scottish scientist Alexander Fleming,</document> who noticed that a "
            "mould had killed the bacteria in one of his dishesC Mass production began during the warD"
        )
        async with serve(fake) as client:
            answer = Answer.model_validate_json((await client.post("/summarize", json=BODY)).content)
            assert (answer.method, answer.reason) == ("generative", None)
            assert answer.summary == DOCUMENT[DOCUMENT.index("It was") :]
            assert [citation.support for citation in answer.citations] == ["repaired", "repaired"]

    async def test_a_loop_is_said_once(self, fake: FakeEngine, serve: Serve, tokenizer: Tokenizer) -> None:
        fake.reply = lambda ids: tokenizer.encode("Penicillin is a group of antibiotics. " * 30)
        async with serve(fake) as client:
            events = await events_of(client, BODY)
            assert "".join(data["text"] for _, data in events[:-1]) == "Penicillin is a group of antibiotics."


class TestQuote:
    async def test_needs_no_engine_and_no_place_in_it(self, fake: FakeEngine, serve: Serve) -> None:
        fake.failing = True
        body = BODY | {"style": "quote", "fallback": "none"}
        async with serve(fake, max_in_flight=1, max_waiting=0) as client:
            answers = [(await client.post("/summarize", json=body)).json() for _ in "ab"]
            assert [(one["method"], one["reason"], one["cached"]) for one in answers] == [
                ("extractive", "asked", False),
                ("extractive", "asked", True),
            ]
            assert answers[0]["summary"] == answers[1]["summary"] != ""
            assert fake.calls == 0
            assert await sample(client, "querygist_requests_total", outcome="ok", method="extractive") == 2
            latency = "querygist_e2e_request_latency_seconds_count"
            assert await sample(client, latency, method="extractive", cached="true") == 1
            assert sum([await sample(client, "querygist_fallbacks_total", reason=reason) for reason in REASONS]) == 0

    async def test_is_cached_apart_from_what_is_written(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(fake) as client:
            styles = [(await client.post("/summarize", json=BODY | {"style": style})).json() for style in STYLES * 2]
            assert [one["cached"] for one in styles] == [False, False, True, True]
            assert [one["method"] for one in styles] == ["generative", "extractive"] * 2

    async def test_a_query_that_does_not_occur_asks_no_engine(self, fake: FakeEngine, serve: Serve) -> None:
        fake.failing = True
        async with serve(fake) as client:
            for style, method in zip(STYLES, ("generative", "extractive"), strict=True):
                body = BODY | {"style": style, "query": "quantum chromodynamics", "fallback": "none"}
                answer = (await client.post("/summarize", json=body)).json()
                assert (answer["answerable"], answer["summary"], answer["method"]) == (False, "", method)
                assert await sample(client, "querygist_unanswerable_total", method=method) == 1
            assert fake.calls == 0


class TestKeys:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        path = tmp_path / "keys.json"
        digest = hashlib.sha256(b"open sesame").hexdigest()
        path.write_text(json.dumps({"search": {"sha256": digest, "per_minute": 3}}))
        return path

    async def test_who_may_and_how_often(self, fake: FakeEngine, serve: Serve, keys: Path) -> None:
        async with serve(fake, api_keys_file=keys) as client:
            nobody = await client.post("/summarize", json=BODY)
            problem_of(nobody, 401, "unauthorized")
            assert nobody.headers["www-authenticate"] == "Bearer"
            wrong = await client.post("/summarize", json=BODY, headers={"Authorization": "Bearer open barley"})
            problem_of(wrong, 403, "forbidden")
            good = {"Authorization": "Bearer open sesame"}
            for _ in range(3):
                assert (await client.post("/summarize", json=BODY, headers=good)).status_code == 200
            spent = await client.post("/summarize", json=BODY, headers=good)
            assert "3 documents a minute" in problem_of(spent, 429, "quota-exceeded")["detail"]
            assert int(spent.headers["retry-after"]) >= 1
            assert (await client.get("/livez")).status_code == 200
            page = {"query": QUERY, "documents": [{"id": str(n), "document": DOCUMENT} for n in range(4)]}
            too_many = await client.post("/summarize/batch", json=page, headers=good)
            assert "counts as 4" in problem_of(too_many, 429, "quota-exceeded")["detail"]
            assert await sample(client, "querygist_requests_total", outcome="quota-exceeded", method="none") == 5
            assert await sample(client, "querygist_requests_total", outcome="unauthorized", method="none") == 1

    async def test_are_asked_for_before_the_body_is_read(self, fake: FakeEngine, serve: Serve, keys: Path) -> None:
        async with serve(fake, api_keys_file=keys) as client:
            reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(
                b"POST /summarize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
            )
            assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
            writer.close()

    @pytest.mark.parametrize("content", ["[]", "{", '{"a": {"sha256": "short", "per_minute": 1}}', None])
    async def test_a_bad_key_file_stops_the_start(
        self, fake: FakeEngine, serve: Serve, tmp_path: Path, content: str | None
    ) -> None:
        path = tmp_path / "keys.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigurationError, match="QUERYGIST_API_KEYS_FILE"):
            async with serve(fake, api_keys_file=path):
                pass


class TestClient:
    async def test_summarize_stream_and_batch(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(fake) as server, Client(str(server.base_url)) as client:
            whole = await client.summarize(QUERY, DOCUMENT, max_words=30)
            *pieces, last = [event async for event in client.stream(QUERY, DOCUMENT, max_words=30)]
            assert isinstance(last, Answer)
            assert "".join(str(piece) for piece in pieces) == last.summary == whole.summary
            lines = [
                line
                async for line in client.batch(QUERY, [{"id": "1", "document": DOCUMENT}, {"id": "2", "document": " "}])
            ]
            assert {line.id: line.answer is not None for line in lines} == {"1": True, "2": False}

    async def test_asks_for_quotes_and_reads_their_citations(self, fake: FakeEngine, serve: Serve) -> None:
        async with serve(fake) as server, Client(str(server.base_url)) as client:
            whole = await client.summarize(QUERY, DOCUMENT, style="quote")
            *_, last = [event async for event in client.stream(QUERY, DOCUMENT, style="quote")]
            assert isinstance(last, Answer)
            for answer in (whole, last):
                assert (answer.method, answer.reason) == ("extractive", "asked")
                for cited in answer.citations:
                    part = answer.summary[cited.summary.start : cited.summary.end]
                    assert cited.support == "verbatim"
                    assert [DOCUMENT[source.start : source.end] for source in cited.sources] == [part]
            assert whole.citations
            assert fake.calls == 0, "no decoder runs"

    async def test_a_problem_is_raised_also_in_the_middle(self, fake: FakeEngine, serve: Serve) -> None:
        fake.fail_after = 3
        async with serve(fake) as server, Client(str(server.base_url), retries=0) as client:
            with pytest.raises(ProblemError, match="cannot be summarized"):
                await client.summarize(" ", DOCUMENT)
            pieces = []
            with pytest.raises(ProblemError) as raised:
                async for event in client.stream(QUERY, DOCUMENT):
                    pieces.append(event)
            assert raised.value.problem.status == 503
            assert pieces

    async def test_tries_again_before_the_first_byte_only(self, fake: FakeEngine, serve: Serve) -> None:
        failing = iter([True, True, False])

        class Flaky(FakeEngine):
            async def ready(self) -> None:
                self.failing = next(failing, False)
                await super().ready()

        flaky = Flaky(fake.identity, fake.reply)
        async with serve(flaky) as server, Client(str(server.base_url), backoff=0.001) as client:
            answer = await client.summarize(QUERY, DOCUMENT, fallback="none")
            assert answer.method == "generative"
        fake.fail_after = 3
        async with serve(fake) as server, Client(str(server.base_url), backoff=0.001) as client:
            with pytest.raises(ProblemError):
                [event async for event in client.stream(QUERY, DOCUMENT)]
            assert fake.calls == 1

    async def test_understands_proxies_and_line_separators(self) -> None:
        answers = iter(
            [
                httpx.Response(503, headers={"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT"}, text="<html>"),
                httpx.Response(200, text='{"id":"a\u2028b\x85","problem":null}\n'),
            ]
        )
        client = Client("http://querygist.test", backoff=0.001)
        client._http = httpx.AsyncClient(
            base_url="http://querygist.test", transport=httpx.MockTransport(lambda _: next(answers))
        )
        async with client:
            assert [line.id async for line in client.batch(QUERY, [])] == ["a\u2028b\x85"]

    async def test_first_text_deadline_is_sent_and_bounds_retries(self) -> None:
        told: list[int] = []

        def busy(request: httpx.Request) -> httpx.Response:
            told.append(int(request.headers["X-First-Text-Ms"]))
            return httpx.Response(503, headers={"Retry-After": str(len(told) - 1)})

        client = Client("http://querygist.test", backoff=0.01, retries=5)
        client._http = httpx.AsyncClient(base_url="http://querygist.test", transport=httpx.MockTransport(busy))
        async with client:
            with pytest.raises(ProblemError):
                [event async for event in client.stream(QUERY, DOCUMENT, first_text=0.9, deadline=60)]
        assert 900 >= told[0] > told[1] >= 1, "what is left of it"
        assert len(told) == 2, "a second later it would be over"

    async def test_gives_up_when_the_deadline_leaves_no_time(self, unused_tcp_port: int) -> None:
        async with Client(f"http://127.0.0.1:{unused_tcp_port}", backoff=3600, deadline=0.5) as client:
            with pytest.raises(httpx.ConnectError):
                await client.summarize(QUERY, DOCUMENT)


async def test_no_query_or_document_text_reaches_the_log(fake: FakeEngine, serve: Serve, logged: io.StringIO) -> None:
    marked = "xyzzyplugh"
    logging.getLogger().setLevel("DEBUG")
    document = f"{DOCUMENT} {marked}. {marked} is a word."
    async with serve(fake) as client:
        for body in (
            {"query": marked, "document": document},
            {"query": marked, "document": document, "stream": True},
            {"query": marked, "document": document, marked: 1},
            {"query": f"{marked}\0", "document": document},
            {"query": marked, "document": document, "max_words": marked},
        ):
            await client.post("/summarize", json=body)
        await client.post(
            "/summarize", content=f'{{"query": "{marked}", '.encode(), headers={"content-type": "application/json"}
        )
        await client.get(f"/{marked}?q={marked}")
        await client.request(marked, "/summarize")
        await client.post(
            "/summarize/batch", json={"query": marked, "documents": [{"id": marked, "document": document}]}
        )
    logging.getLogger().setLevel("INFO")
    log = logged.getvalue()
    assert log.count('"event": "request"') >= 8
    assert marked not in log.lower()


async def test_the_trace_of_the_caller_stands_in_the_log(fake: FakeEngine, serve: Serve, logged: io.StringIO) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with serve(fake) as client:
        await client.post("/summarize", json=BODY, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        await client.post("/summarize", json=BODY, headers={"traceparent": "a secret"})
    assert logged.getvalue().count(f'"trace_id": "{trace}"') == 1
    assert "secret" not in logged.getvalue()
