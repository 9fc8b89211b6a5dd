"""A teacher behind a real local server that follows a script."""

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from querygist.errors import ConfigurationError, EngineUnavailable
from querygist.prompting.templates import NO_ANSWER
from training.data.examples import Example
from training.generate.generator import Sampling
from training.generate.openai_compatible import OpenAIGenerator, bounded

OWLS = Example("1", "s", "why", "Owls hunt at night. Their eyes are big.", "", 20, "positive", derived=False)

SOON = {"Retry-After-Ms": "1"}


def said(text: str | None, *, finish: str = "stop", tokens: int = 7) -> Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return JSONResponse({"object": "chat.completion", "choices": [choice], "usage": {"completion_tokens": tokens}})


@dataclass
class Teacher:
    """Answers with `script`, one response after another, and then by `reply`."""

    url: str = ""
    script: deque[Response] = field(default_factory=deque)
    reply: Callable[[dict[str, Any]], Response] = lambda body: said("Owls hunt at night.")
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization"))
        return self.script.popleft() if self.script else self.reply(body)


@pytest.fixture
def teacher() -> Generator[Teacher, None, None]:
    one = Teacher()
    app = Starlette(routes=[Route("/v1/chat/completions", one.complete, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    one.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    yield one
    server.should_exit = True
    thread.join()


@pytest.fixture
def generator(teacher: Teacher) -> Generator[OpenAIGenerator, None, None]:
    with closing(OpenAIGenerator(teacher.url, "big", concurrency=1)) as one:
        yield one


def test_what_is_asked_and_what_comes_back(teacher: Teacher, generator: OpenAIGenerator) -> None:
    [[written]] = generator.generate([OWLS])
    assert (written.text, written.answerable, written.tokens) == ("Owls hunt at night.", True, 7)
    assert written.seconds is not None
    [body] = teacher.asked
    [message] = body["messages"]
    assert (body["model"], body["temperature"], message["role"]) == ("big", 0.0, "user")
    begin = "Please extract relevant summaries for the article content based on the query."
    assert message["content"].startswith(begin)
    for part in (OWLS.query, OWLS.document, "at most 20 words", NO_ANSWER):
        assert part in message["content"]
    assert teacher.keys == ["Bearer none"]


def test_braces_in_a_document_are_text(teacher: Teacher, generator: OpenAIGenerator) -> None:
    list(generator.generate([replace(OWLS, document="A set {query} is {0}.")]))
    assert "A set {query} is {0}." in teacher.asked[0]["messages"][0]["content"]


def test_samples_are_requests_with_seeds_of_their_own(teacher: Teacher, generator: OpenAIGenerator) -> None:
    teacher.reply = lambda body: said(f"Owl {body['seed']}.")
    sampling = Sampling(3, 0.7, seed=5)
    first, again = (list(generator.generate([OWLS, replace(OWLS, id="2")], sampling)) for _ in "ab")
    assert first == [[replace(one, seconds=mine.seconds) for one, mine in zip(samples, firsts, strict=True)]
                     for samples, firsts in zip(again, first, strict=True)]  # fmt: skip
    assert len({one.text for samples in first for one in samples}) == 6
    assert {body["temperature"] for body in teacher.asked} == {0.7}


def test_greedy_is_one_sample(generator: OpenAIGenerator) -> None:
    [samples] = generator.generate([OWLS], Sampling(4, 0.0))
    assert len(samples) == 1


def test_order_is_kept_when_several_are_asked_at_once(teacher: Teacher) -> None:
    teacher.reply = lambda body: said(body["messages"][0]["content"].rpartition("\n")[2])
    examples = [replace(OWLS, id=str(i), document=f"Owl {i}.") for i in range(20)]
    with closing(OpenAIGenerator(teacher.url, "big", concurrency=4)) as generator:
        written = [one for [one] in generator.generate(examples)]
    assert [one.text for one in written] == [example.document for example in examples]
    assert {one.seconds for one in written} == {None}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(teacher: Teacher, generator: OpenAIGenerator, status: int) -> None:
    teacher.script += [Response(status_code=status, headers=SOON)] * 2
    [[written]] = generator.generate([OWLS])
    assert written.text == "Owls hunt at night."
    assert len(teacher.asked) == 3


def test_a_longer_retry_after_than_two_minutes_ends_it(teacher: Teacher, generator: OpenAIGenerator) -> None:
    teacher.script += [Response(status_code=429, headers={"Retry-After": "100000"})]
    with pytest.raises(EngineUnavailable, match="answered 429 for 1"):
        list(generator.generate([OWLS]))
    assert len(teacher.asked) == 1


def test_a_server_that_stays_in_trouble(teacher: Teacher) -> None:
    teacher.reply = lambda body: Response(status_code=503, headers=SOON)
    with (
        closing(OpenAIGenerator(teacher.url, "big", retries=2)) as generator,
        pytest.raises(EngineUnavailable, match="answered 503 for 1, after 2 retries"),
    ):
        list(generator.generate([OWLS]))
    assert len(teacher.asked) == 3


def test_nobody_there() -> None:
    with (
        closing(OpenAIGenerator("http://127.0.0.1:9/v1", "big", retries=1)) as generator,
        pytest.raises(EngineUnavailable, match="did not answer"),
    ):
        list(generator.generate([OWLS]))


def test_a_refused_request_is_not_retried_nor_quoted(teacher: Teacher, generator: OpenAIGenerator) -> None:
    error = {"message": f"too long: {OWLS.document}", "code": "context_length_exceeded"}
    teacher.reply = lambda body: JSONResponse({"error": error}, status_code=400)
    with pytest.raises(ConfigurationError, match=r"answered 400 \(context_length_exceeded\)") as caught:
        list(generator.generate([OWLS]))
    assert len(teacher.asked) == 1
    assert "Owls" not in caught.value.detail


@pytest.mark.parametrize("reply", [PlainTextResponse("hello"), JSONResponse({"choices": []})])
def test_what_is_no_completion(teacher: Teacher, generator: OpenAIGenerator, reply: Response) -> None:
    teacher.reply = lambda body: reply
    with pytest.raises(ConfigurationError, match="something else than a chat completion"):
        list(generator.generate([OWLS]))


def test_the_key_comes_from_the_environment(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", "secret")
    with closing(OpenAIGenerator(teacher.url, "big", api_key_variable="TEACHER_KEY")) as generator:
        list(generator.generate([OWLS]))
        assert "secret" not in generator.name
    assert teacher.keys == ["Bearer secret"]
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(ConfigurationError, match="TEACHER_KEY is empty"):
        OpenAIGenerator(teacher.url, "big", api_key_variable="TEACHER_KEY")


@pytest.mark.parametrize(
    ("text", "stopped", "expected"),
    [
        ("Owls hunt.\n\nThey  see.", True, "Owls hunt. They see."),
        ("Owls hunt. They see in the dark of the night.", True, "Owls hunt."),  # 10 words, 6 allowed
        ("Owls hunt. They se", False, "Owls hunt."),
        ("Owls hunt. They see", True, "Owls hunt. They see"),
        ("One two three four five six seven.", True, "One two three four five six"),
        (NO_ANSWER, True, ""),
        (f'"{NO_ANSWER.rstrip(".")}"', True, ""),
        ("", True, ""),
        ("\x00", True, ""),
        ("<|im_end|> Owls.", True, "‹|im_end|› Owls."),
    ],
)
def test_text_is_bounded_as_the_service_bounds_it(text: str, stopped: bool, expected: str) -> None:
    final = bounded(text, 6, stopped=stopped)
    assert final.text == expected
    assert final.answerable == bool(expected)


def test_a_message_without_text_is_a_refusal(teacher: Teacher, generator: OpenAIGenerator) -> None:
    teacher.script += [said(None), said("Owls hunt. Th", finish="length")]
    [[none], [cut]] = generator.generate([OWLS, OWLS])
    assert not none.answerable
    assert cut.text == "Owls hunt."
