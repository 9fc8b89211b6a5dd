"""A teacher behind any OpenAI-compatible chat endpoint: vLLM, llama.cpp, a provider's own."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from querygist.errors import ConfigurationError, EngineUnavailable, UnprocessableText
from querygist.extras import extra
from querygist.prompting.detokenizer import Detokenizer, Final
from querygist.prompting.templates import NO_ANSWER
from querygist.text.cleaning import clean_document
from training.data.examples import Example
from training.generate.generator import GREEDY, Generated, Sampling
from training.stable_random import draw

with extra("openai"):
    import openai

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
    key. `timeout` in seconds. The client asks again `retries` times after 408, 409, 429, 5xx and lost connections, with
    growing pauses, no sooner than a Retry-After of up to two minutes; a longer one is an error at once.
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
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._retries = retries
        self._alone = concurrency == 1
        self._client = openai.OpenAI(
            base_url=self._url,
            api_key=_key(api_key_variable) if api_key_variable else "none",  # the client insists on one
            timeout=timeout,
            max_retries=retries,
        )
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="teacher")

    @property
    def name(self) -> str:
        """The model, and where it is asked."""
        return f"{self._model} at {self._url}"

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """Raises ConfigurationError when the server refuses, and EngineUnavailable when it cannot answer."""
        count = sampling.count if sampling.temperature else 1
        asked = [(example, number) for example in examples for number in range(count)]
        replies = self._threads.map(lambda one: self._one(one[0], one[1], sampling), asked)
        for _ in examples:
            yield list(islice(replies, count))

    def close(self) -> None:
        """Ask nothing more, and close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _one(self, example: Example, number: int, sampling: Sampling) -> Generated:
        began = time.monotonic()
        try:
            reply = self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "user", "content": prompt_of(example)}],
                temperature=sampling.temperature,
                seed=int(draw(sampling.seed, "sample", example.id, number) * (1 << 31)),
                max_tokens=4 * example.max_words + 64,  # any script, any tokenizer; the bound on words comes after
            )
            choice, usage = reply.choices[0], reply.usage
            text, stopped = choice.message.content or "", choice.finish_reason == "stop"
        except openai.APIConnectionError as error:
            raise self._unavailable(f"did not answer ({type(error).__name__})", example) from error
        except openai.APIStatusError as error:
            told = f"answered {error.status_code}{_code(error)}"
            if error.status_code in {408, 409, 429} or error.status_code >= 500:
                raise self._unavailable(told, example) from None
            raise ConfigurationError(
                f"{self._url} {told} for {example.id}. Check the URL, the model's name ({self._model}) and the API "
                "key, and that the model's context holds the longest document."
            ) from None
        except (openai.APIError, ValueError, AttributeError, IndexError) as error:
            raise ConfigurationError(
                f"{self._url} answered with something else than a chat completion ({type(error).__name__}). "
                "Check the URL."
            ) from None
        final = bounded(text, example.max_words, stopped=stopped)
        seconds = time.monotonic() - began if self._alone else None
        return Generated(final.text, final.answerable, usage.completion_tokens if usage else 0, seconds=seconds)

    def _unavailable(self, told: str, example: Example) -> EngineUnavailable:
        return EngineUnavailable(
            f"{self._url} {told} for {example.id}, after {self._retries} retries. Run the stage again when it is back: "
            "what is done is kept."
        )


def prompt_of(example: Example) -> str:
    """Return the prompt for the teacher."""
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
    detokenizer = Detokenizer(_Characters(), max_words=max_words)
    detokenizer.push([ord(character) for character in clean])
    return detokenizer.finish("stop" if stopped else "length")


class _Characters:
    """A decoder whose ids are code points: the service's own Detokenizer bounds text that was never tokens here."""

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def _code(error: openai.APIStatusError) -> str:
    """The server's short name for what is wrong; its message is left out, for it may quote the document."""
    code = error.code or error.type
    return f" ({code})" if code and len(code) <= _LONGEST_CODE else ""


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigurationError(f"The environment variable {variable} is empty. Put the teacher's API key into it.")
    return key


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
