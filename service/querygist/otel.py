"""Spans by OpenTelemetry's SDK. Imported only where traces are asked for (`tracing.from_environment`)."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from querygist import __version__
from querygist.tracing import Span, Traces

_PROPAGATOR = TraceContextTextMapPropagator()


class OtelSpan(Span):
    """A span that is recorded, if the sampler wants it."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self.trace_id = format_trace_id(span.get_span_context().trace_id)
        self._tracer = tracer
        self._span = span

    @property
    def context(self) -> Context:
        """What makes another span its child."""
        return trace.set_span_in_context(self._span, Context())

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Span.headers`."""
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers, self.context)
        return headers

    def set(self, name: str, value: str | int | float | bool) -> None:
        """See `Span.set`; a bare name is one of ours."""
        self._span.set_attribute(name if "." in name else f"querygist.{name}", value)

    def lap(self, name: str) -> None:
        """See `Span.lap`."""
        if isinstance(self._span, ReadableSpan):  # not one that the sampler left out
            self._tracer.start_span(name, self.context, start_time=self._span.start_time).end()

    @contextmanager
    def until_left(self) -> Generator[Span, None, None]:
        """End it with the block. Of an exception its type is told: its message may quote a document."""
        try:
            yield self
        except (asyncio.CancelledError, GeneratorExit):
            self.set("cancelled", True)
            raise
        except BaseException as error:
            self.set("error.type", type(error).__name__)
            self._span.set_status(StatusCode.ERROR)
            raise
        finally:
            self._span.end()


_REQUEST: ContextVar[OtelSpan | None] = ContextVar("request_span", default=None)
"""Of the HTTP request. Parents of other spans are named: a generator's steps may run in several tasks' contexts."""


class OtelTraces(Traces):
    """Makes spans for `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("querygist", __version__)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Generator[Span, None, None]:
        """See `Traces.request`."""
        parent = _PROPAGATOR.extract(headers, Context())
        span = OtelSpan(self._tracer, self._tracer.start_span(method, parent, kind=SpanKind.SERVER))
        before = _REQUEST.set(span)
        try:
            with span.until_left():
                yield span
        finally:
            _REQUEST.reset(before)

    @contextmanager
    def part(self, name: str, parent: Span | None = None) -> Generator[Span, None, None]:
        """See `Traces.part`."""
        above = parent if isinstance(parent, OtelSpan) else _REQUEST.get()
        span = OtelSpan(self._tracer, self._tracer.start_span(name, above.context if above else Context()))
        with span.until_left():
            yield span

    def close(self) -> None:
        """See `Traces.close`."""
        self._provider.shutdown()


def exporting() -> OtelTraces:
    """Spans in batches over OTLP; the OTEL_* variables say where, how many and under which name."""
    ours = Resource({"service.name": "querygist", "service.version": __version__})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OtelTraces(provider)
