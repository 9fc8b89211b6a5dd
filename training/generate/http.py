"""A running Querygist, asked over HTTP: what an evaluation of a deployed service measures."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import httpx

from querygist.client import Client, ProblemError
from querygist.errors import ConfigurationError, EngineUnavailable
from training.data.examples import Example
from training.generate.generator import GREEDY, Generated, Sampling


class HttpGenerator:
    """Asks POST /summarize, `concurrency` requests at a time, never for the extractive fallback. For one thread.

    `deadline` in seconds for one summary, with all attempts; the service may allow less. `tokens` are the service's
    `usage.completion_tokens`, which leaves the end id out. `seconds` are the client's, and None of a cached answer.
    """

    def __init__(self, url: str, *, api_key: str | None = None, concurrency: int = 1, deadline: float = 60.0) -> None:
        self.name = f"Querygist at {url}"
        self._url = url
        self._concurrency = concurrency
        self._runner = asyncio.Runner()
        self._client = Client(url, api_key=api_key, deadline=deadline)

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. Raises ConfigurationError when asked to sample, or when the service refuses,
        EngineUnavailable when it cannot answer.
        """
        if sampling.temperature:
            raise ConfigurationError(
                f"The service decodes greedily and cannot write at temperature {sampling.temperature:g}. "
                "Use another generator, or temperature 0."
            )
        for start in range(0, len(examples), self._concurrency):
            yield from ([one] for one in self._runner.run(self._some(examples[start : start + self._concurrency])))

    def close(self) -> None:
        """Close the connections."""
        with self._runner as runner:
            runner.run(self._client.close())

    async def _some(self, examples: Sequence[Example]) -> list[Generated]:
        return await asyncio.gather(*map(self._one, examples))

    async def _one(self, example: Example) -> Generated:
        began = time.perf_counter()
        try:
            answer = await self._client.summarize(
                example.query, example.document, max_words=example.max_words, fallback="none"
            )
        except ProblemError as error:
            problem = error.problem
            kind = ConfigurationError if problem.status < 500 else EngineUnavailable
            raise kind(
                f"{self._url} answered {problem.status} for {example.id}: {problem.title}. {problem.detail}"
            ) from error
        except (httpx.HTTPError, ValueError) as error:  # no connection, or not a Querygist
            raise EngineUnavailable(
                f"{self._url} gave no answer for {example.id} ({type(error).__name__}). Is Querygist running there?"
            ) from error
        return Generated(
            answer.summary,
            answer.answerable,
            tokens=answer.usage.completion_tokens,
            seconds=time.perf_counter() - began if self._concurrency == 1 and not answer.cached else None,
        )
