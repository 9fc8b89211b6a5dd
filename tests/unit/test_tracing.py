"""When traces are on."""

import subprocess
import sys

import pytest

from querygist.errors import ConfigurationError
from querygist.tracing import OFF, provider_from_environment, shut_down
from tests.conftest import REPOSITORY

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "querygist"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        COLLECTOR | {"OTEL_TRACES_EXPORTER": "none"},
        COLLECTOR | {"OTEL_SDK_DISABLED": "True"},
    ],
    ids=str,
)
def test_off_unless_asked_for(environment: dict[str, str]) -> None:
    assert provider_from_environment(environment) is OFF


@pytest.mark.parametrize("environment", [COLLECTOR, {"OTEL_TRACES_EXPORTER": "otlp"}], ids=str)
def test_on_when_there_is_somewhere_to_send_them(environment: dict[str, str]) -> None:
    provider = provider_from_environment(environment)
    assert provider is not OFF
    shut_down(provider)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
        (COLLECTOR | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_what_cannot_be_is_told(environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        provider_from_environment(environment)


def test_without_the_extra_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'querygist\[otel\]'"):
        provider_from_environment(COLLECTOR)


def test_when_off_the_tracing_sdk_is_not_even_loaded() -> None:
    code = (
        "import sys, querygist.cli, querygist.api.server, querygist.api.app, querygist.engine_factory; "
        "from querygist.tracing import provider_from_environment; provider_from_environment({}); "
        "tracing = ('opentelemetry.sdk.trace', 'opentelemetry.exporter'); "
        "print([name for name in sys.modules if name.startswith(tracing)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"
