"""A running Querygist, asked over HTTP: what an evaluation of a deployed service measures."""

import httpx

from querygist.client import Client, ProblemError
from querygist.errors import ConfigurationError, EngineUnavailable
from training.data.examples import Example
from training.generate.concurrent import ConcurrentGenerator
from training.generate.generator import Generated


class HttpGenerator(ConcurrentGenerator):
    """Asks POST /summarize, never for the extractive fallback.

    `deadline` in seconds for one summary, with all attempts; the service may allow less. `tokens` are the service's
    `usage.completion_tokens`, which leaves the end id out. `seconds` are the client's, and None of a cached answer.
    """

    def __init__(self, url: str, *, concurrency: int = 1, deadline: float = 60.0) -> None:
        super().__init__(f"Querygist at {url}", concurrency)
        self._url = url
        self._client = Client(url, deadline=deadline)

    async def _one(self, example: Example) -> tuple[Generated, bool]:
        """Raises ConfigurationError when the service refuses, EngineUnavailable when it cannot answer."""
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
        return Generated(answer.summary, answer.answerable, tokens=answer.usage.completion_tokens), not answer.cached

    async def _end(self) -> None:
        await self._client.close()
