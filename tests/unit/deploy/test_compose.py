"""The compose file against its schema, the settings, the server and the files that it mounts."""

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from querygist.api.server import LAST_WORDS_SECONDS
from querygist.settings import Settings
from querygist.trtllm.container import IMAGE
from tests import dockerfile
from tests.conftest import REPOSITORY

PATH = REPOSITORY / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", PATH.read_text()))
"""With nothing set in the environment: ${NAME:-default} is the default."""

SERVICES: dict[str, Any] = COMPOSE["services"]
GATEWAY = SERVICES["gateway"]
TRITONS = ("triton-cpu", "triton-gpu")
OPERATORS_OWN = {"./engines"}
PROMETHEUS = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_the_schema_takes_it() -> None:
    assert set(PyCompose.from_yaml(yaml.safe_dump(COMPOSE)).service_names()) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["user"].partition(":")[0] not in {"", "0", "root"}
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))


def test_triton_is_the_image_that_engines_are_built_in() -> None:
    assert SERVICES["triton-gpu"]["image"] == IMAGE


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_exist(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        if mount["type"] == "bind" and mount["source"] not in OPERATORS_OWN:
            assert (PATH.parent / mount["source"]).exists(), mount["source"]


def test_variables_are_settings_and_agree_with_the_service() -> None:
    variables = {name: value for name, value in GATEWAY["environment"].items() if name.startswith("QUERYGIST_")}
    values = {name.removeprefix("QUERYGIST_").lower(): value for name, value in variables.items()}
    assert values.keys() <= set(Settings.model_fields)
    settings = Settings(**values)
    assert f"127.0.0.1:{settings.port}:{settings.port}" in GATEWAY["ports"]
    assert settings.threads < float(GATEWAY["deploy"]["resources"]["limits"]["cpus"])
    drain = settings.drain_delay_seconds + settings.drain_seconds + LAST_WORDS_SECONDS
    assert seconds(GATEWAY["stop_grace_period"]) > drain


def test_the_key_file_is_a_secret_and_operations_stay_inside() -> None:
    (secret,) = GATEWAY["secrets"]
    assert GATEWAY["environment"]["QUERYGIST_API_KEYS_FILE"] == f"/run/secrets/{secret['target']}"
    assert secret["source"] in COMPOSE["secrets"]
    port = GATEWAY["environment"]["QUERYGIST_OPERATIONS_PORT"]
    assert port == dockerfile.read()["gateway"].environment()["QUERYGIST_OPERATIONS_PORT"]
    assert not any(port in published for published in GATEWAY["ports"])
    (scraped,) = PROMETHEUS["scrape_configs"][0]["dns_sd_configs"]
    assert (scraped["names"], str(scraped["port"])) == (["gateway"], port)


@pytest.mark.parametrize("name", TRITONS)
def test_only_the_gateway_reaches_triton(name: str) -> None:
    """Its gRPC listens on one network, which it shares with the gateway alone."""
    network = SERVICES[name]["networks"]["inference"]
    assert f"--grpc-address={network['ipv4_address']}" in SERVICES[name]["command"]
    assert {other for other, one in SERVICES.items() if "inference" in one.get("networks", ())} == {"gateway", *TRITONS}
    host, _, port = GATEWAY["environment"]["QUERYGIST_TRITON_ENDPOINTS"].partition(":")
    assert host in network["aliases"]
    assert port == "8001", "Triton's default"


@pytest.mark.parametrize("name", TRITONS)
def test_triton_ends_after_the_streams_it_holds(name: str) -> None:
    (flag,) = [word for word in SERVICES[name]["command"] if word.startswith("--exit-timeout-secs=")]
    allowed = seconds(flag.partition("=")[2])
    assert Settings().max_deadline_ms / 1000 < allowed < seconds(SERVICES[name]["stop_grace_period"])


def test_the_engine_is_served_from_where_it_was_delivered() -> None:
    _, target = SERVICES["engine"]["command"][-2:]
    assert f"--model-repository={target}" in SERVICES["triton-gpu"]["command"]
    mounts = {mount["target"]: mount["source"] for mount in SERVICES["engine"]["volumes"]}
    assert mounts["/models"] == SERVICES["triton-gpu"]["volumes"][0]["source"]
