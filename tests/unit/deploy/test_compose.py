"""The compose file, by its schema and by what it mounts, sets and joins."""

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from querygist.api.server import LAST_WORDS_SECONDS
from querygist.settings import Settings
from querygist.trtllm.container import IMAGE
from tests.conftest import REPOSITORY

PATH = REPOSITORY / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", PATH.read_text()))
"""With nothing set in the environment: ${NAME:-default} is the default."""

SERVICES: dict[str, Any] = COMPOSE["services"]
TRITONS = ("triton-cpu", "triton-gpu")
OPERATORS_OWN = {"./engines"}


def of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SERVICES[name]
    return found


def setting(name: str) -> str:
    told: str = of("gateway")["environment"][f"QUERYGIST_{name.upper()}"]
    return told


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_it_is_a_compose_file() -> None:
    assert set(PyCompose.from_yaml(yaml.safe_dump(COMPOSE)).service_names()) == set(SERVICES)


def test_the_schema_would_find_a_mistake() -> None:
    with pytest.raises(ValueError, match="read_onyl"):
        PyCompose.from_yaml(yaml.safe_dump({"services": {"a": {"image": "b", "read_onyl": True}}}))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    one = of(name)
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["user"].partition(":")[0] not in {"", "0", "root"}
    limits = one["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()
    assert not {"privileged", "pid", "ipc", "cap_add"} & one.keys()
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    _, _, tag = of(name)["image"].rpartition("/")[2].partition(":")
    assert tag not in {"", "latest"}


def test_triton_is_the_pinned_one() -> None:
    assert of("triton-gpu")["image"] == IMAGE


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for mount in of(name).get("volumes", []):
        if mount["type"] == "volume":
            assert mount["source"] in COMPOSE["volumes"]
        elif mount["source"] not in OPERATORS_OWN:
            assert (PATH.parent / mount["source"]).exists(), mount["source"]
            assert mount["read_only"] is True


@pytest.mark.parametrize("name", SERVICES)
def test_the_others_it_waits_for_exist_and_say_when(name: str) -> None:
    for other, how in of(name).get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in of(other)
        elif how["condition"] == "service_completed_successfully":
            assert of(other)["restart"] == "no"
        required = how.get("required", True)
        assert not required or set(of(other).get("profiles", [])) <= set(of(name).get("profiles", []))


def test_settings_are_settings() -> None:
    told = [name for name in of("gateway")["environment"] if name.startswith("QUERYGIST_")]
    assert {name.removeprefix("QUERYGIST_").lower() for name in told} <= set(Settings.model_fields)
    values = {
        name.removeprefix("QUERYGIST_").lower(): setting(name.removeprefix("QUERYGIST_").lower()) for name in told
    }
    settings = Settings(**values)  # type: ignore[arg-type]
    assert f"127.0.0.1:{settings.port}:{settings.port}" in of("gateway")["ports"]
    assert settings.threads < float(of("gateway")["deploy"]["resources"]["limits"]["cpus"])
    drain = settings.drain_delay_seconds + settings.drain_seconds + LAST_WORDS_SECONDS
    assert seconds(of("gateway")["stop_grace_period"]) > drain


@pytest.mark.parametrize("name", TRITONS)
def test_only_the_gateway_reaches_triton(name: str) -> None:
    """Its gRPC listens on one network, which it shares with the gateway alone; its HTTP on its own loopback."""
    one = of(name)
    address = one["networks"]["inference"]["ipv4_address"]
    assert f"--grpc-address={address}" in one["command"]
    assert "--http-address=127.0.0.1" in one["command"]
    assert "ports" not in one
    assert COMPOSE["networks"]["inference"]["internal"] is True
    assert {other for other, told in SERVICES.items() if "inference" in told.get("networks", ())} == {
        "gateway",
        *TRITONS,
    }
    host, _, port = setting("triton_endpoints").partition(":")
    assert host in one["networks"]["inference"]["aliases"]
    assert all(host not in told["aliases"] for net, told in one["networks"].items() if net != "inference")
    assert port == "8001", "Triton's default"


@pytest.mark.parametrize("name", TRITONS)
def test_triton_ends_after_the_streams_it_holds(name: str) -> None:
    (flag,) = [word for word in of(name)["command"] if word.startswith("--exit-timeout-secs=")]
    allowed = seconds(flag.partition("=")[2])
    assert Settings().max_deadline_ms / 1000 < allowed < seconds(of(name)["stop_grace_period"])


def test_one_engine_is_chosen_by_each_profile() -> None:
    assert {name: told.get("profiles") for name, told in SERVICES.items() if "profiles" in told} == {
        "triton-cpu": ["cpu"],
        "engine": ["gpu"],
        "triton-gpu": ["gpu"],
    }
    assert setting("engine") == "embedded", "without a profile there is no Triton"


def test_the_engine_is_served_from_where_it_was_delivered() -> None:
    source, target = of("engine")["command"]
    assert of("engine")["entrypoint"] == ["querygist", "engine", "deliver"]
    assert f"--model-repository={target}" in of("triton-gpu")["command"]
    mounts = {mount["target"]: mount["source"] for mount in of("engine")["volumes"]}
    assert mounts["/models"] == of("triton-gpu")["volumes"][0]["source"]
    assert source.startswith("/engines/")
