"""Traces by OpenTelemetry, whose API does nothing until the standard OTEL_* variables say where spans go.

Spans hold counts and outcomes, never what the query or the document said. Only the request's span is made current: the
steps of an async generator may run in several tasks' contexts, so the parents of all others are named.
"""

import asyncio
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
    format_trace_id,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from querygist import __version__
from querygist.errors import ConfigurationError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

OFF = NoOpTracerProvider()

_PROPAGATOR = TraceContextTextMapPropagator()


def tracer_of(provider: TracerProvider) -> Tracer:
    """Return the tracer that makes this service's spans."""
    return provider.get_tracer("querygist", __version__)


@contextmanager
def request_span(tracer: Tracer, method: str, headers: Mapping[str, str]) -> Generator[Span, None, None]:
    """Record one HTTP request, as a child of what its `traceparent` names; it is the current span of the block."""
    parent = _PROPAGATOR.extract(headers, Context())
    span = tracer.start_span(method, parent, kind=SpanKind.SERVER)
    with trace.use_span(span, record_exception=False, set_status_on_exception=False), _ending(span):
        yield span


@contextmanager
def child_span(tracer: Tracer, name: str, parent: Span | None = None) -> Generator[Span, None, None]:
    """Record one part of `parent`; without one, of the current request."""
    span = tracer.start_span(name, trace.set_span_in_context(parent, Context()) if parent else None)
    with _ending(span):
        yield span


def add_child_span(tracer: Tracer, name: str, parent: Span) -> None:
    """Record the time since `parent` began as a part of its own."""
    if (started := getattr(parent, "start_time", None)) is not None:  # a span that is not recorded has none
        tracer.start_span(name, trace.set_span_in_context(parent, Context()), start_time=started).end()


@contextmanager
def _ending(span: Span) -> Generator[None, None, None]:
    """End it with the block. Of an exception its type is recorded: its message may quote a document."""
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        span.set_attribute("querygist.cancelled", True)
        raise
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()


def trace_id_of(span: Span, headers: Mapping[str, str]) -> str | None:
    """Return the trace's id, 32 hexadecimal digits, when tracing or the caller's `traceparent` has given one."""
    caller = trace.get_current_span(_PROPAGATOR.extract(headers, Context()))
    contexts = (one.get_span_context() for one in (span, caller))
    return next((format_trace_id(context.trace_id) for context in contexts if context.is_valid), None)


def trace_headers(tracer: Tracer, span: Span) -> dict[str, str]:
    """Return what hands a span on to another service: `traceparent`, `tracestate`; nothing where tracing is off."""
    headers: dict[str, str] = {}
    if not isinstance(tracer, NoOpTracer):
        _PROPAGATOR.inject(headers, trace.set_span_in_context(span, Context()))
    return headers


def provider_from_environment(environment: Mapping[str, str] | None = None) -> TracerProvider:
    """Return what the OTEL_* variables ask for: spans over OTLP (http/protobuf), or OFF, the default.

    Raises ConfigurationError when they ask for what this service cannot send, or the extra `otel` is not installed.
    """
    variables = os.environ if environment is None else environment
    exporter = variables.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(map(variables.get, ENDPOINTS)) else "none")
    if exporter == "none" or variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return OFF
    if exporter != "otlp":
        raise ConfigurationError(f"OTEL_TRACES_EXPORTER is {exporter!r}; this service sends `otlp`, or `none`.")
    protocol = next(filter(None, map(variables.get, PROTOCOLS)), "http/protobuf")
    if protocol != "http/protobuf":
        raise ConfigurationError(
            f"{' or '.join(PROTOCOLS)} is {protocol!r}; this service speaks http/protobuf (port 4318 of a collector)."
        )
    try:  # an optional extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk import resources  # noqa: PLC0415
        from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"Traces are asked for, and {error.name} is not installed: pip install 'querygist[otel]', or unset "
            "OTEL_TRACES_EXPORTER and the endpoint."
        ) from None
    ours = resources.Resource({"service.name": "querygist", "service.version": __version__})
    provider = sdk.TracerProvider(resource=ours.merge(resources.OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def shut_down(provider: TracerProvider) -> None:
    """Send what is left. May wait for the receiver."""
    if close := getattr(provider, "shutdown", None):
        close()
