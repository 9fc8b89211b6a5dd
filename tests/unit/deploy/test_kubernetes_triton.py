"""Triton and its gateways in the GPU overlay."""

import pytest

from querygist.triton_server.repository import GPU_MODEL, load_config
from tests.kubernetes import Object, component, named, of_kind, rendered, selects, settings_of


@pytest.fixture
def gpu() -> list[Object]:
    return rendered("gpu")


def test_only_gateways_reach_triton(gpu: list[Object]) -> None:
    labels = named(gpu, "Deployment", "triton")["spec"]["template"]["metadata"]["labels"]
    reaching = [one["spec"] for one in of_kind(gpu, "NetworkPolicy") if selects(one["spec"]["podSelector"], labels)]
    rules = [rule for spec in reaching for rule in spec.get("ingress", [])]
    assert len(rules) == 2
    grpc, metrics = rules
    assert grpc == {"from": [{"podSelector": {"matchLabels": component("gateway")}}], "ports": [{"port": "grpc"}]}
    assert metrics["ports"] == [{"port": "metrics"}]
    assert not any("egress" in spec for spec in reaching), "it has nobody to talk to"


def test_gateways_find_every_triton(gpu: list[Object]) -> None:
    host, _, port = settings_of(gpu).triton_endpoints.partition(":")
    service = named(gpu, "Service", host)["spec"]
    assert service["clusterIP"] == "None"
    assert not service.get("publishNotReadyAddresses")
    assert [one["port"] for one in service["ports"]] == [int(port)]
    (gateway_out,) = [
        one["spec"] for one in of_kind(gpu, "NetworkPolicy") if one["metadata"]["name"] == "gateway-to-triton"
    ]
    assert gateway_out["podSelector"]["matchLabels"] == component("gateway")
    assert gateway_out["egress"][0]["to"] == [{"podSelector": {"matchLabels": component("triton")}}]


def test_gateways_together_fill_a_batch(gpu: list[Object]) -> None:
    gateways = named(gpu, "Deployment", "gateway")["spec"]["replicas"]
    batch = load_config(GPU_MODEL).max_batch_size
    together = gateways * settings_of(gpu).max_in_flight
    assert batch <= together <= 1.25 * batch


def test_triton_serves_what_was_delivered_and_checked(gpu: list[Object]) -> None:
    spec = named(gpu, "Deployment", "triton")["spec"]["template"]["spec"]
    (deliver,), (triton,) = spec["initContainers"], spec["containers"]
    assert deliver["command"][:3] == ["querygist", "engine", "deliver"]
    source, target = deliver["command"][3:]
    assert f"--model-repository={target}" in triton["command"]
    mounts = {mount["mountPath"]: mount for mount in deliver["volumeMounts"]}
    assert mounts["/engines"]["readOnly"]
    assert source.startswith("/engines/")
    assert target.startswith("/models/")
    served = {mount["mountPath"]: mount for mount in triton["volumeMounts"]}
    assert served["/models"]["readOnly"]
    assert served["/models"]["name"] == mounts["/models"]["name"]
    limits = triton["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == triton["resources"]["requests"]["nvidia.com/gpu"] == "1"
