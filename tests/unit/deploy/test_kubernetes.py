"""The Kubernetes objects of both overlays.

Against the API's own schemas, the restricted policy, and what the gateway and Triton really are.
"""

import tomllib

import kubernetes_validate
import pytest
import yaml

from querygist.api.app import openapi_document
from querygist.api.server import LAST_WORDS_SECONDS
from querygist.engines.triton.pool import RESOLVE_SECONDS
from querygist.metrics import Metrics
from querygist.settings import Settings
from querygist.triton_server.repository import GPU_MODEL, load_config
from querygist.trtllm.container import IMAGE
from tests.conftest import REPOSITORY
from tests.kubernetes import (
    FOLDER,
    OVERLAYS,
    Object,
    component,
    containers,
    environment,
    named,
    of_kind,
    pods,
    quantity,
    rendered,
    selects,
    settings_of,
)

TRITON_PATHS = {"/v2/health/live", "/v2/health/ready"}
DNS_TTL_SECONDS = 5
"""CoreDNS's for services."""


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def objects(overlay: str) -> list[Object]:
    return rendered(overlay)


@pytest.fixture
def gpu() -> list[Object]:
    return rendered("gpu")


def test_the_apis_schemas_take_every_object(objects: list[Object]) -> None:
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_pods_keep_to_the_restricted_profile(objects: list[Object]) -> None:
    """The namespace enforces it: a cluster would refuse the others."""
    for spec, container in containers(objects):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all({"emptyDir", "persistentVolumeClaim", "secret"} & volume.keys() for volume in spec["volumes"])
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_pods_get_no_service_variables(objects: list[Object]) -> None:
    """Nothing reads them."""
    assert all(spec["enableServiceLinks"] is False for _, _, spec in pods(objects))


def test_images_are_of_this_release(objects: list[Object]) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    expected = {"gateway": f"querygist:{version}", "engine": f"querygist:{version}", "triton": IMAGE}
    for _, container in containers(objects):
        assert container["image"] == expected[container["name"]]


def test_variables_are_settings_and_agree_with_the_pod(objects: list[Object], overlay: str) -> None:
    for _, container in containers(objects):
        names = {name for name in environment(objects, container) if name.startswith("QUERYGIST_")}
        assert {name.removeprefix("QUERYGIST_").lower() for name in names} <= set(Settings.model_fields)
    settings = settings_of(objects)
    assert settings.engine == {"cpu": "embedded", "gpu": "triton"}[overlay]
    (gateway,) = [one for _, one in containers(objects) if one["name"] == "gateway"]
    assert gateway["ports"] == [
        {"name": "http", "containerPort": settings.port},
        {"name": "operations", "containerPort": settings.operations_port},
    ]
    if settings.engine == "embedded":
        limit = quantity(gateway["resources"]["limits"]["cpu"])
        assert 0 < settings.threads < limit, "0 would count the node's cores; one is left to the gateway itself"


def test_probes_ask_paths_that_exist(objects: list[Object]) -> None:
    paths = {"gateway": set(openapi_document()["paths"]), "triton": TRITON_PATHS}
    for _, _, spec in pods(objects):
        for container in spec["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container[kind]["httpGet"]
                assert probe["path"] in paths[container["name"]]
                assert probe["port"] in ports
                assert (probe["port"] == "operations") is (container["name"] == "gateway")
            assert "ready" not in container["livenessProbe"]["httpGet"]["path"], "a dead engine restarts nobody"


def test_keys_are_a_secret_that_can_change_in_a_running_pod(objects: list[Object]) -> None:
    (spec,) = [spec for name, _, spec in pods(objects) if name == "gateway"]
    (container,) = spec["containers"]
    path = settings_of(objects).api_keys_file
    assert path
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == str(path.parent)]
    assert "subPath" not in mount, "a file that is mounted by itself is never renewed"
    (volume,) = [one for one in spec["volumes"] if one["name"] == mount["name"]]
    secret = volume["secret"]["secretName"]
    assert f"create secret generic {secret} --from-file={path.name}" in (REPOSITORY / "docs/deploy.md").read_text()
    assert not of_kind(objects, "Secret"), "it is the operator's"


def test_who_may_reach_which_port_of_a_gateway(objects: list[Object]) -> None:
    labels = named(objects, "Deployment", "gateway")["spec"]["template"]["metadata"]["labels"]
    policies = [one["spec"] for one in of_kind(objects, "NetworkPolicy") if selects(one["spec"]["podSelector"], labels)]
    entries = {
        port["port"]: [tuple(one["namespaceSelector"]["matchLabels"].items()) for one in rule["from"]]
        for spec in policies
        for rule in spec.get("ingress", [])
        for port in rule["ports"]
    }
    assert entries == {
        "http": [(("querygist-client", "true"),)],
        "operations": [(("kubernetes.io/metadata.name", "monitoring"),)],
    }
    assert "querygist-client=true" in (REPOSITORY / "docs/deploy.md").read_text()


def test_there_is_time_to_drain(objects: list[Object]) -> None:
    for name, _, spec in pods(objects):
        (container,) = spec["containers"]
        stop = container.get("lifecycle", {}).get("preStop", {"exec": {"command": ["sleep", "0"]}})["exec"]["command"]
        assert stop[0] == "sleep"
        if name == "gateway":
            settings = settings_of(objects)
            needed = settings.drain_delay_seconds + settings.drain_seconds + LAST_WORDS_SECONDS
            readiness = container["readinessProbe"]
            noticed = readiness["periodSeconds"]  # one failure while draining is enough for the endpoints to change
            assert settings.drain_delay_seconds >= noticed
        else:
            (flag,) = [word for word in container["command"] if word.startswith("--exit-timeout-secs=")]
            needed = float(flag.partition("=")[2])
            assert needed > settings_of(objects).max_deadline_ms / 1000, "the longest a stream may last"
            assert float(stop[1]) > DNS_TTL_SECONDS + RESOLVE_SECONDS, "until every gateway has let go of it"
        assert spec["terminationGracePeriodSeconds"] > float(stop[1]) + needed


def test_selectors_find_pods_that_exist(objects: list[Object]) -> None:
    every = {name: (metadata["labels"], spec) for name, metadata, spec in pods(objects)}
    for one in of_kind(objects, "PodDisruptionBudget"):
        assert sum(selects(one["spec"]["selector"], labels) for labels, _ in every.values()) == 1
    for one in of_kind(objects, "Service"):
        (spec,) = [spec for labels, spec in every.values() if one["spec"]["selector"].items() <= labels.items()]
        there = {port["name"] for port in spec["containers"][0]["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= there
    for deployment in of_kind(objects, "Deployment"):
        labels = every[deployment["metadata"]["name"]][0]
        assert selects(deployment["spec"]["selector"], labels)
        spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert all(selects(one["labelSelector"], labels) for one in spread)


def test_annotations_send_prometheus_to_a_port_of_the_pod(objects: list[Object]) -> None:
    for _, metadata, spec in pods(objects):
        ports = {str(port["containerPort"]): port["name"] for port in spec["containers"][0]["ports"]}
        assert ports[metadata["annotations"]["prometheus.io/port"]] in {"operations", "metrics"}


def test_the_autoscaler_reads_a_metric_of_ours(objects: list[Object]) -> None:
    (scaler,) = of_kind(objects, "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert "replicas" not in named(objects, "Deployment", target["name"])["spec"], "or each rollout would reset it"
    (metric,) = scaler["spec"]["metrics"]
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    queue_time = Metrics().request_queue_time._name
    for series in ("sum", "count"):
        assert f"{queue_time}_{series}{{" in rule["metricsQuery"]
    assert rule["seriesQuery"].startswith(f"{queue_time}_count{{")


def test_only_gateways_reach_tritons_grpc(gpu: list[Object]) -> None:
    labels = named(gpu, "Deployment", "triton")["spec"]["template"]["metadata"]["labels"]
    reaching = [one["spec"] for one in of_kind(gpu, "NetworkPolicy") if selects(one["spec"]["podSelector"], labels)]
    rules = [rule for spec in reaching for rule in spec.get("ingress", []) if {"port": "grpc"} in rule["ports"]]
    assert [rule["from"] for rule in rules] == [[{"podSelector": {"matchLabels": component("gateway")}}]]


def test_gateways_find_every_triton(gpu: list[Object]) -> None:
    host, _, port = settings_of(gpu).triton_endpoints.partition(":")
    service = named(gpu, "Service", host)["spec"]
    assert service["clusterIP"] == "None"
    assert [one["port"] for one in service["ports"]] == [int(port)]


def test_gateways_together_fill_a_batch(gpu: list[Object]) -> None:
    gateways = named(gpu, "Deployment", "gateway")["spec"]["replicas"]
    batch = load_config(GPU_MODEL).max_batch_size
    assert batch <= gateways * settings_of(gpu).max_in_flight <= 1.25 * batch


def test_triton_serves_the_delivered_engine(gpu: list[Object]) -> None:
    spec = named(gpu, "Deployment", "triton")["spec"]["template"]["spec"]
    (deliver,), (triton,) = spec["initContainers"], spec["containers"]
    source, target = deliver["command"][-2:]
    assert f"--model-repository={target}" in triton["command"]
    mounts, served = (
        {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]} for container in (deliver, triton)
    )
    assert source.startswith("/engines/")
    assert target.startswith("/models/")
    assert served["/models"] == mounts["/models"]
