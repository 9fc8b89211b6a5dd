"""Every metric's name, in one place. Names follow vLLM's, with our prefix; times are seconds.

A counter's labels are known before anything happens: each begins at zero, so that a rate sees the first event too, and
"none so far" is a zero on a dashboard and not a gap.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

from opentelemetry.trace import INVALID_SPAN, Span
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from querygist.engines.base import Chunk, Status
from querygist.errors import DeadlineExceeded, HttpError, Overloaded, RequestError, ServiceError
from querygist.schemas import Answer

# 1 ms to 30 s: a cache hit sits at the left end, an overloaded CPU at the right.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.175, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30)
TOKENS = (1, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 640, 768, 896)
BATCH = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)


OUTCOMES_OF_CALLERS = tuple(kind.slug for kind in RequestError.__subclasses__())
"""Outcomes of `querygist_requests_total` that the caller can mend."""

OUTCOMES_OF_SERVICE = (*(kind.slug for kind in ServiceError.__subclasses__()), "internal")
"""Outcomes that are ours: no answer, and not the caller's doing."""

ANSWERED, CANCELLED = ("ok", "fallback"), "cancelled"
"""The outcomes with an answer, and that of a client that left. A fallback is a quote that stands in for a summary that
could not be written in time; one that was asked for, or that the checker chose, is "ok"."""

_ANSWERS = (("ok", "generative"), ("ok", "extractive"), ("fallback", "extractive"))

CHECKER = "checker"
"""The reason of a fallback for which no error is to blame: the model's text did not stand up to the document."""

_CHOSEN = (None, "asked", "checker")


class Metrics:
    """The service's metrics in a registry of their own, so that two apps in one process do not share counts."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        seconds = partial(histogram, buckets=SECONDS)
        self.time_to_first_token = seconds(
            "querygist_time_to_first_token_seconds", "From the request read to its first generated token"
        )
        self.inter_token_latency = seconds(
            "querygist_inter_token_latency_seconds",
            "Between one forward pass's tokens and the next, divided by the tokens",
        )
        self.e2e_request_latency = seconds(
            "querygist_e2e_request_latency_seconds", "From the request read to the whole answer", ["method", "cached"]
        )
        self.request_queue_time = seconds("querygist_request_queue_time_seconds", "Waiting for a place in the engine")
        self.num_requests_running = gauge("querygist_num_requests_running", "Requests in the engine")
        self.num_requests_waiting = gauge(
            "querygist_num_requests_waiting", "Requests waiting for a place in the engine"
        )
        self.prompt_tokens = counter("querygist_prompt_tokens", "Prompt tokens sent to the engine")
        self.request_prompt_tokens = histogram(
            "querygist_request_prompt_tokens", "Prompt tokens of one request", buckets=TOKENS
        )
        self.generation_tokens = counter("querygist_generation_tokens", "Tokens generated, end tokens included")
        self.forward_passes = counter(
            "querygist_forward_passes",
            "Forward passes that generated tokens, counted per request: tokens / passes is the step compression",
        )
        self.candidate_tokens_drafted = counter(
            "querygist_candidate_tokens_drafted", "Candidate tokens put before the model"
        )
        self.candidate_tokens_accepted = counter(
            "querygist_candidate_tokens_accepted", "Candidate tokens the model agreed with"
        )
        self.batch_size = histogram(
            "querygist_batch_size",
            "Requests that a forward pass made tokens for, seen from each of them",
            buckets=BATCH,
        )
        self.requests = counter(
            "querygist_requests",
            "Summaries asked for, by outcome (ok, fallback, cancelled, or the problem's type) and method",
            ["outcome", "method"],
        )
        self.cache_hits = counter(
            "querygist_cache_hits", "Answers from memory, or shared with a request in flight", ["kind"]
        )
        self.shared_cache_errors = counter(
            "querygist_shared_cache_errors", "Commands that the shared Redis did not answer"
        )
        self.shared_cache_rejected = counter(
            "querygist_shared_cache_rejected", "Values in the shared Redis that no gateway with our secret wrote"
        )
        self.cache_bytes = gauge("querygist_cache_bytes", "Memory that cached answers take")
        self.fallbacks = counter("querygist_fallbacks", "Extractive answers in place of generated ones", ["reason"])
        self.sheds = counter("querygist_sheds", "Requests that admission refused", ["reason"])
        self.cancellations = counter(
            "querygist_cancellations", "Generations stopped because nobody waited for them any more"
        )
        self.unanswerable = counter(
            "querygist_unanswerable", "Answers that the document does not speak to the query", ["method"]
        )
        self.reader_latency = seconds(
            "querygist_reader_latency_seconds", "From a page handed to the reader to its scores"
        )
        self.reader_failures = counter(
            "querygist_reader_failures", "Pages that BM25 chose from because the reader could not read them"
        )
        self.api_keys_outdated = gauge(
            "querygist_api_keys_outdated", "1 while the key file cannot be used and its last good content holds"
        )
        self.open_connections = gauge("querygist_open_connections", "Connections open to the API")
        self.connections_refused = counter(
            "querygist_connections_refused",
            "Connections refused as too many were open (limit), or closed: too slow (timeout), tiny chunks (chunks)",
            ["reason"],
        )
        self.engine_up = gauge("querygist_engine_up", "1 when the last canary inference succeeded")
        self.engine_status: Callable[[], Status] = Status
        registry.register(_EngineCollector(self))
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        for outcome, method in _ANSWERS:
            self.requests.labels(outcome, method)
            self.unanswerable.labels(method)
            self.e2e_request_latency.labels(method, "false")
        for method in ("generative", "extractive"):
            self.e2e_request_latency.labels(method, "true")
        for outcome in (*OUTCOMES_OF_CALLERS, *OUTCOMES_OF_SERVICE, CANCELLED):
            self.requests.labels(outcome, "none")
        for reason in (*(error.reason for error in ServiceError.__subclasses__()), CHECKER):
            self.fallbacks.labels(reason)
        for refusal in (Overloaded, DeadlineExceeded):
            self.sheds.labels(refusal.reason)
        for reason in ("limit", "timeout", "chunks"):
            self.connections_refused.labels(reason)
        for kind in ("finished", "in_flight", "shared"):
            self.cache_hits.labels(kind)

    @contextmanager
    def count_request(self, span: Span = INVALID_SPAN) -> Generator[Callable[[Answer], Answer], None, None]:
        """Around one request: counts its outcome and time, and tells its `span`. The block passes its answer through
        what this yields.
        """
        started, outcome, method, cached = time.monotonic(), CANCELLED, "none", False

        def counted(answer: Answer) -> Answer:
            nonlocal outcome, method, cached
            method, cached = answer.method, answer.cached
            outcome = "ok" if answer.reason in _CHOSEN else "fallback"
            if not answer.answerable:
                self.unanswerable.labels(method).inc()
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
            span.set_attributes({"querygist.outcome": outcome, "querygist.method": method, "querygist.cached": cached})
            if method != "none":
                self.e2e_request_latency.labels(method, str(cached).lower()).observe(time.monotonic() - started)

    @contextmanager
    def count_refusal(self, documents: int = 1) -> Generator[None, None, None]:
        """Around what may refuse summaries before anything is done for them: counts them if it does."""
        try:
            yield
        except HttpError as error:
            self.requests.labels(error.slug, "none").inc(documents)
            raise

    def count_left(self) -> None:
        """Count a client that left before the whole of its request had come."""
        self.requests.labels(CANCELLED, "none").inc()

    def count_generation(self, started: float, queue_seconds: float, prompt_tokens: int) -> "Generation":
        """Count what enters the engine, and hand out the counter of what comes back."""
        self.request_queue_time.observe(queue_seconds)
        self.prompt_tokens.inc(prompt_tokens)
        self.request_prompt_tokens.observe(prompt_tokens)
        return Generation(self, started)


class _EngineCollector(Collector):
    """The engine's own counts, asked at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Prometheus' hook."""
        status = self._metrics.engine_status()
        up = GaugeMetricFamily(
            "querygist_triton_endpoint_up",
            "1 while this Triton server is healthy and gets requests",
            labels=["endpoint"],
        )
        for address, well in status.servers.items():
            up.add_metric([address], well)
        yield up
        yield CounterMetricFamily(
            "querygist_triton_retries",
            "Requests given to another Triton server before their first token",
            value=status.retries,
        )


class Generation:
    """Counts one generation's forward passes. `tokens`: generated so far, the end token not among them."""

    def __init__(self, metrics: Metrics, started: float) -> None:
        self._metrics = metrics
        self._last = started
        self.tokens = 0

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
