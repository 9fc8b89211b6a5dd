"""A teacher behind any OpenAI-compatible chat endpoint: vLLM, llama.cpp, a provider's own."""

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice

import httpx
from pydantic import BaseModel, Field, ValidationError

from querygist.errors import ConfigurationError, EngineUnavailable, UnprocessableText
from querygist.prompting.detokenizer import Assembler, Final
from querygist.prompting.templates import NO_ANSWER
from querygist.text.cleaning import clean_document
from training.data.example_io import Example
from training.generate.generator import GREEDY, Generated, Sampling
from training.stable_random import draw

RETRIED = {408, 429, 500, 502, 503, 504}
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is waited for no longer at once

_LONGEST_CODE = 64  # characters

# The first sentence is the paper's (arXiv 2508.20559); the rest is what the filters and `answerable` need.
PROMPT = """Please extract relevant summaries for the article content based on the query.
Use the article's own sentences, at most {max_words} words of them, and write nothing else.
If the article does not answer the query, reply with exactly this sentence: {no_answer}

Query: {query}

Article:
{document}"""


class OpenAIGenerator:
    """Asks `concurrency` requests at a time; one request a sample, because not every server knows `n`.

    `url` as OpenAI's own clients take it, with /v1. `api_key_variable` names the environment variable that holds the
    key. `timeout` and `backoff` in seconds; 429 and 5xx are asked again `retries` times, no sooner than Retry-After.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_variable: str | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 5,
        backoff: float = 1.0,
    ) -> None:
        headers = {"Authorization": f"Bearer {_key(api_key_variable)}"} if api_key_variable else {}
        self._endpoint = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._retries = retries
        self._backoff = backoff
        self._alone = concurrency == 1
        self._http = httpx.Client(headers=headers, timeout=timeout)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="teacher")
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """The model, and where it was asked."""
        return f"{self._model} at {self._endpoint}"

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """Raises ConfigurationError when the server refuses, and EngineUnavailable when it cannot answer."""
        count = sampling.count if sampling.temperature else 1
        asked = [(example, number) for example in examples for number in range(count)]
        replies = self._threads.map(lambda one: self._ask(one[0], one[1], sampling), asked)
        for _ in examples:
            yield list(islice(replies, count))

    def close(self) -> None:
        """Ask nothing more, and close the connections."""
        self._closed.set()
        self._threads.shutdown(cancel_futures=True)
        self._http.close()

    def _ask(self, example: Example, number: int, sampling: Sampling) -> Generated:
        began = time.monotonic()
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": prompt_of(example)}],
            "temperature": sampling.temperature,
            "seed": int(draw(sampling.seed, "sample", example.id, number) * (1 << 31)),
            "max_tokens": 4 * example.max_words + 64,  # any script, any tokenizer; the bound on words comes after
        }
        reply = self._post(body, example.id)
        text, reason = reply.choices[0].message.content or "", reply.choices[0].finish_reason
        final = bounded(text, example.max_words, stopped=reason == "stop")
        return Generated(
            final.text,
            final.answerable,
            tokens=reply.usage.completion_tokens if reply.usage else 0,
            seconds=time.monotonic() - began if self._alone else None,
        )

    def _post(self, body: dict[str, object], example_id: str) -> "_Completion":
        for attempt in range(self._retries + 1):
            try:
                response = self._http.post(self._endpoint, json=body)
            except httpx.TransportError as error:
                trouble, told = f"did not answer ({type(error).__name__})", None
            else:
                if response.is_success:
                    return _parsed(response, self._endpoint)
                trouble, told = f"answered {response.status_code}{_code(response)}", response.headers.get("Retry-After")
                if response.status_code not in RETRIED:
                    raise ConfigurationError(
                        f"{self._endpoint} {trouble} for {example_id}. Check the URL, the model's name ({self._model}) "
                        "and the API key, and that the model's context holds the longest document."
                    )
            if attempt < self._retries:
                pause = max(random.uniform(0, self._backoff * 2**attempt), _seconds(told))  # noqa: S311
                if self._closed.wait(min(pause, LONGEST_WAIT)):
                    break
        raise EngineUnavailable(
            f"{self._endpoint} {trouble} for {example_id}, {attempt + 1} times. Run the stage again when it is back: "
            "what is done is kept."
        )


def prompt_of(example: Example) -> str:
    """What the teacher is told."""
    return PROMPT.format(
        max_words=example.max_words, no_answer=NO_ANSWER, query=example.query, document=example.document
    )


def bounded(text: str, max_words: int, *, stopped: bool) -> Final:
    """Text from elsewhere as the service would return it; `stopped`: the model ended it itself.

    It is cleaned as documents are, so that a quote stays one. A refusal counts in quotation marks or without its stop.
    """
    try:
        clean = clean_document(text, content_type="text/plain").text
    except UnprocessableText:  # nothing that can be read: no answer
        return Final("", "", answerable=False)
    if _letters(clean) == _letters(NO_ANSWER):
        return Final("", "", answerable=False)
    assembler = Assembler(_Characters(), max_words=max_words)
    assembler.push([ord(character) for character in clean])
    return assembler.finish("stop" if stopped else "length")


class _Characters:
    """A decoder whose ids are code points: the service's own Assembler bounds text that was never tokens here."""

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


class _Message(BaseModel):
    content: str | None = None  # a server that refuses by its own rules sends none


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Completion(BaseModel):
    """What is read of the reply."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def _parsed(response: httpx.Response, endpoint: str) -> _Completion:
    try:
        return _Completion.model_validate_json(response.content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"])) or "the whole body"
        raise ConfigurationError(
            f"{endpoint} answered with something else than a chat completion (wrong at {where}). Check the URL."
        ) from error


def _code(response: httpx.Response) -> str:
    """The server's short name for what is wrong; its message is left out, for it may quote the document."""
    try:
        error = response.json()["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    return f" ({code})" if isinstance(code, str) and len(code) <= _LONGEST_CODE else ""


def _seconds(told: str | None) -> float:
    """Of a Retry-After header, which may be a date; 0 where there is none to be read."""
    if told is None:
        return 0.0
    if told.strip().isdecimal():
        return float(told)
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigurationError(f"The environment variable {variable} is empty. Put the teacher's API key into it.")
    return key


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
