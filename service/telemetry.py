"""Every metric's name, in one place. Names follow vLLM's, with our prefix; times are seconds."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.engines.base import Chunk
from service.errors import HttpError
from service.schemas import Answer

# 1 ms to 30 s: a cache hit sits at the left end, an overloaded CPU at the right.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.175, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30)
TOKENS = (1, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 640, 768, 896)
BATCH = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)


class Metrics:
    """The service's metrics in a registry of their own, so that two apps in one process do not share counts."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.time_to_first_token = Histogram(
            "querygist_time_to_first_token_seconds",
            "From the request read to its first generated token",
            registry=registry,
            buckets=SECONDS,
        )
        self.inter_token_latency = Histogram(
            "querygist_inter_token_latency_seconds",
            "Between one forward pass's tokens and the next, divided by the tokens",
            registry=registry,
            buckets=SECONDS,
        )
        self.e2e_request_latency = Histogram(
            "querygist_e2e_request_latency_seconds",
            "From the request read to the whole answer",
            ["method", "cached"],
            registry=registry,
            buckets=SECONDS,
        )
        self.request_queue_time = Histogram(
            "querygist_request_queue_time_seconds",
            "Waiting for a place in the engine",
            registry=registry,
            buckets=SECONDS,
        )
        self.num_requests_running = Gauge("querygist_num_requests_running", "Requests in the engine", registry=registry)
        self.num_requests_waiting = Gauge(
            "querygist_num_requests_waiting", "Requests waiting for a place in the engine", registry=registry
        )
        self.prompt_tokens = Counter("querygist_prompt_tokens", "Prompt tokens sent to the engine", registry=registry)
        self.request_prompt_tokens = Histogram(
            "querygist_request_prompt_tokens", "Prompt tokens of one request", registry=registry, buckets=TOKENS
        )
        self.generation_tokens = Counter(
            "querygist_generation_tokens", "Tokens generated, end tokens included", registry=registry
        )
        self.forward_passes = Counter(
            "querygist_forward_passes",
            "Forward passes that generated tokens, counted per request: tokens / passes is the step compression",
            registry=registry,
        )
        self.candidate_tokens_drafted = Counter(
            "querygist_candidate_tokens_drafted", "Candidate tokens put before the model", registry=registry
        )
        self.candidate_tokens_accepted = Counter(
            "querygist_candidate_tokens_accepted", "Candidate tokens the model agreed with", registry=registry
        )
        self.batch_size = Histogram(
            "querygist_batch_size",
            "Requests that a forward pass made tokens for, seen from each of them",
            registry=registry,
            buckets=BATCH,
        )
        self.requests = Counter(
            "querygist_requests",
            "Summaries asked for, by outcome (ok, fallback, cancelled, or the problem's type) and method",
            ["outcome", "method"],
            registry=registry,
        )
        self.cache_hits = Counter(
            "querygist_cache_hits",
            "Answers from memory, or shared with a request in flight",
            ["kind"],
            registry=registry,
        )
        self.shared_cache_errors = Counter(
            "querygist_shared_cache_errors", "Commands that the shared Redis did not answer", registry=registry
        )
        self.cache_bytes = Gauge("querygist_cache_bytes", "Memory that cached answers take", registry=registry)
        self.fallbacks = Counter(
            "querygist_fallbacks", "Extractive answers in place of generated ones", ["reason"], registry=registry
        )
        self.sheds = Counter("querygist_sheds", "Requests that admission refused", ["reason"], registry=registry)
        self.cancellations = Counter(
            "querygist_cancellations", "Generations stopped because nobody waited for them any more", registry=registry
        )
        self.engine_up = Gauge("querygist_engine_up", "1 when the last canary inference succeeded", registry=registry)

    @contextmanager
    def count_request(self) -> Generator[Callable[[Answer], Answer], None, None]:
        """Around one request: counts its outcome and time. The block passes its answer through what this yields."""
        started, outcome, method, cached = time.monotonic(), "cancelled", "none", False

        def counted(answer: Answer) -> Answer:
            nonlocal outcome, method, cached
            method, cached = answer.method, answer.cached
            outcome = "ok" if method == "generative" else "fallback"
            return answer

        try:
            yield counted
        except HttpError as error:
            outcome, method = error.slug, "none"
            raise
        except Exception:
            outcome, method = "internal", "none"
            raise
        finally:
            self.requests.labels(outcome, method).inc()
            if method != "none":
                self.e2e_request_latency.labels(method, str(cached).lower()).observe(time.monotonic() - started)

    def count_generation(self, started: float, queue_seconds: float, prompt_tokens: int) -> "Generation":
        """Count what enters the engine, and hand out the counter of what comes back."""
        self.request_queue_time.observe(queue_seconds)
        self.prompt_tokens.inc(prompt_tokens)
        self.request_prompt_tokens.observe(prompt_tokens)
        return Generation(self, started)


class Generation:
    """Counts one generation's forward passes. `tokens` generated so far; `finished` as in `Chunk`."""

    def __init__(self, metrics: Metrics, started: float) -> None:
        self._metrics = metrics
        self._last = started
        self.tokens = 0
        self.finished: str | None = None

    def observe(self, chunk: Chunk) -> None:
        """Count one forward pass."""
        metrics, now = self._metrics, time.monotonic()
        if not self.tokens:
            metrics.time_to_first_token.observe(now - self._last)
        elif chunk.ids:
            metrics.inter_token_latency.observe((now - self._last) / len(chunk.ids))
        metrics.forward_passes.inc()
        metrics.generation_tokens.inc(len(chunk.ids) + (chunk.finished == "stop"))  # the end token is generated too
        metrics.candidate_tokens_drafted.inc(chunk.drafted)
        metrics.candidate_tokens_accepted.inc(chunk.accepted)
        if chunk.batch:
            metrics.batch_size.observe(chunk.batch)
        self._last = now
        self.tokens += len(chunk.ids)
        self.finished = chunk.finished
