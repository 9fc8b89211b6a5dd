"""Traces: how long the parts of a request took, from the caller's `traceparent` to what is handed to Triton.

Off unless the standard OTEL_* variables say where spans go (`from_environment`); `otel.py` is the only module that
knows OpenTelemetry. A span tells of counts and outcomes, never what the query or the document said.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from querygist.errors import ConfigurationError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Span:
    """One part of a request; this one is not recorded."""

    trace_id: str | None = None
    """32 hexadecimal digits."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What hands this span on to another service: `traceparent`, `tracestate`."""
        return {}

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Say something about it. Never text of the query or the document."""

    def lap(self, name: str) -> None:
        """Record the time since it began as a part of its own, called `name`."""


UNRECORDED = Span()

_NOTHING = nullcontext(UNRECORDED)


class Traces:
    """Makes spans; these are not recorded, and cost nothing."""

    def request(self, method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Around one HTTP request, as a child of what its `traceparent` names."""
        return _NOTHING

    def part(self, name: str, parent: Span | None = None) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Around one part of `parent`; without, of the HTTP request that the calling task serves."""
        return _NOTHING

    def close(self) -> None:
        """Send what is left, and stop. May wait for the receiver."""


OFF = Traces()


def from_environment(environment: Mapping[str, str] | None = None) -> Traces:
    """What the OTEL_* variables ask for: spans over OTLP (http/protobuf), or none, the default.

    Raises ConfigurationError when they ask for what is not here.
    """
    told = os.environ if environment is None else environment
    exporter = told.get("OTEL_TRACES_EXPORTER") or ("otlp" if any(map(told.get, ENDPOINTS)) else "none")
    if exporter == "none" or told.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return OFF
    if exporter != "otlp":
        raise ConfigurationError(f"OTEL_TRACES_EXPORTER is {exporter!r}; this service sends `otlp`, or `none`.")
    protocol = next(filter(None, map(told.get, PROTOCOLS)), "http/protobuf")
    if protocol != "http/protobuf":
        raise ConfigurationError(
            f"{' or '.join(PROTOCOLS)} is {protocol!r}; this service speaks http/protobuf (port 4318 of a collector)."
        )
    try:
        from querygist import otel  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise ConfigurationError(
            f"Traces are asked for, and {error.name} is not installed: pip install 'querygist[otel]', or unset "
            "OTEL_TRACES_EXPORTER and the endpoint."
        ) from None
    return otel.exporting()
