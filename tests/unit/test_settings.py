"""Settings: what stops a start, and what an error must not tell."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from querygist import settings
from querygist.errors import ConfigurationError
from tests.conftest import REPOSITORY

SECRET = "a secret of at least 32 characters"


def refusal(load: object = settings.load, **overrides: object) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(**overrides)  # type: ignore[operator]
    return raised.value.detail


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "nobody.invalid"])
def test_an_address_that_others_reach_needs_keys_or_consent(host: str) -> None:
    detail = refusal(settings.load_to_listen, host=host)
    assert all(remedy in detail for remedy in ("QUERYGIST_API_KEYS_FILE", "QUERYGIST_OPEN=true", "127.0.0.1"))
    assert settings.load_to_listen(host=host, open=True).lets_everyone_in
    assert not settings.load_to_listen(host=host, api_keys_file="keys.json").lets_everyone_in
    assert settings.load(host=host), "a command that does not listen"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_open(host: str) -> None:
    assert not settings.load_to_listen(host=host).lets_everyone_in


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("QUERYGIST_API_KEY_FILE", "QUERYGIST_API_KEYS_FILE"),
        ("querygist_hots", "QUERYGIST_HOST"),
        ("QUERYGIST_CACHE_GB", "QUERYGIST_CACHE_MB"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "keys.json")
    assert f"{variable} is no setting; the nearest is {nearest}" in refusal()


def test_variables_of_a_kubernetes_service_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Service `querygist`, and another `querygist-operations`, add to every pod of their namespace."""
    for name in ("QUERYGIST", "QUERYGIST_OPERATIONS"):
        monkeypatch.setenv(f"{name}_SERVICE_HOST", "10.0.0.7")
        monkeypatch.setenv(f"{name}_SERVICE_PORT", "80")
        monkeypatch.setenv(f"{name}_SERVICE_PORT_HTTP_API", "80")
        monkeypatch.setenv(f"{name}_PORT", "tcp://10.0.0.7:80")
        monkeypatch.setenv(f"{name}_PORT_80_TCP", "tcp://10.0.0.7:80")
        for part in ("PROTO", "PORT", "ADDR"):
            monkeypatch.setenv(f"{name}_PORT_80_TCP_{part}", "80")
    loaded = settings.load()
    assert (loaded.port, loaded.operations_port) == (8000, None)


@pytest.mark.parametrize("variable", ["QUERYGIST_OTHER_PORT", "QUERYGIST_PORT_80", "QUERYGIST_SERVICE_HOSTS"])
def test_other_ports_are_unknown_variables(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "8001")
    assert f"{variable} is no setting" in refusal()


def test_redis_needs_a_secret() -> None:
    assert "QUERYGIST_REDIS_SECRET is missing" in refusal(redis_url="redis://redis:6379")
    assert settings.load(redis_url="redis://redis:6379", redis_secret=SECRET)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"redis_secret": "s3cret"}, "QUERYGIST_REDIS_SECRET"),
        ({"redis_url": "redis://u:s3cret@h"}, "QUERYGIST_REDIS_SECRET"),
        ({"redis_url": ["s3cret"], "redis_secret": SECRET}, "QUERYGIST_REDIS_URL"),
    ],
)
def test_no_secret_stands_in_an_error(values: dict[str, object], named: str) -> None:
    detail = refusal(**values)
    assert named in detail
    assert "s3cret" not in detail
    assert "it is" in refusal(port=-1), "other values are quoted"


def test_two_services_need_two_ports() -> None:
    assert "8000 is QUERYGIST_PORT too" in refusal(operations_port=8000)


def test_no_other_variable_has_the_prefix() -> None:
    """A variable for compose, tests or load tests would stop the service that finds it in its environment."""
    files = [path for folder in ("deploy", "docs", "loadtest", "service", "training") for path in _texts(folder)]
    files += [REPOSITORY / name for name in ("Dockerfile", "Makefile", "README.md", "SECURITY.md", ".ci/run")]
    named = {name for path in files for name in re.findall(r"\bQUERYGIST_([A-Z_0-9]*[A-Z0-9])\b", path.read_text())}
    kubernetes = {"SERVICE_HOST"}
    assert named - kubernetes <= {name.upper() for name in settings.Settings.model_fields}
    assert len(named) > 20


def _texts(folder: str) -> Iterator[Path]:
    kinds = {".py", ".sh", ".yaml", ".yml", ".md", ".html", ".toml"}
    return (path for path in (REPOSITORY / folder).rglob("*") if path.suffix in kinds)
