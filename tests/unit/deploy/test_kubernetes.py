"""The Kubernetes objects of both overlays.

Against the API's own schemas, against what a cluster's policy wants, and against what the gateway really is.
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
from querygist.trtllm.container import IMAGE
from tests.conftest import REPOSITORY
from tests.kubernetes import (
    FOLDER,
    OVERLAYS,
    Object,
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


def test_every_object_is_what_the_api_takes(objects: list[Object]) -> None:
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_schemas_would_find_a_mistake(objects: list[Object]) -> None:
    pod = named(objects, "Deployment", "gateway")["spec"]["template"]["spec"]
    one = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod | {"readOnlyRoot": True}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_nothing_is_named_twice_and_all_is_in_one_namespace(objects: list[Object]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)
    (namespace,) = of_kind(objects, "Namespace")
    assert {one["metadata"].get("namespace") for one in objects if one is not namespace} == {
        namespace["metadata"]["name"]
    }
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_pods_keep_to_the_restricted_profile(objects: list[Object]) -> None:
    for spec, container in containers(objects):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all({"emptyDir", "persistentVolumeClaim"} & volume.keys() for volume in spec["volumes"])
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_pods_get_no_token_and_no_service_variables(objects: list[Object]) -> None:
    """The service `querygist` would set QUERYGIST_PORT to tcp://ADDRESS:80, and the gateway would not start."""
    accounts = {one["metadata"]["name"]: one for one in of_kind(objects, "ServiceAccount")}
    for _, _, spec in pods(objects):
        assert accounts[spec["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False


def test_every_container_says_what_it_needs_and_what_it_may_have(objects: list[Object]) -> None:
    for _, container in containers(objects):
        resources = container["resources"]
        for name in ("cpu", "memory"):
            assert 0 < quantity(resources["requests"][name]) <= quantity(resources["limits"][name])


def test_images_are_of_this_release(objects: list[Object]) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    expected = {"gateway": f"querygist:{version}", "engine": f"querygist:{version}", "triton": IMAGE}
    for _, container in containers(objects):
        assert container["image"] == expected[container["name"]]


def test_every_mount_has_its_volume_and_the_other_way_round(objects: list[Object]) -> None:
    for _, _, spec in pods(objects):
        every = spec.get("initContainers", []) + spec["containers"]
        mounted = {mount["name"] for container in every for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_settings_are_settings_and_agree_with_the_pod(objects: list[Object], overlay: str) -> None:
    for _, container in containers(objects):
        told = {name for name in environment(objects, container) if name.startswith("QUERYGIST_")}
        assert {name.removeprefix("QUERYGIST_").lower() for name in told} <= set(Settings.model_fields)
    settings = settings_of(objects)
    assert settings.engine == {"cpu": "embedded", "gpu": "triton"}[overlay]
    (gateway,) = [one for _, one in containers(objects) if one["name"] == "gateway"]
    assert gateway["ports"] == [{"name": "http", "containerPort": settings.port}]
    if settings.engine == "embedded":
        limit = quantity(gateway["resources"]["limits"]["cpu"])
        assert 0 < settings.threads < limit, "0 would count the node's cores; one is left to the gateway itself"


def test_probes_ask_what_is_there(objects: list[Object]) -> None:
    paths = {"gateway": set(openapi_document()["paths"]), "triton": TRITON_PATHS}
    for _, _, spec in pods(objects):
        for container in spec["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[kind]["httpGet"]
                assert asked["path"] in paths[container["name"]]
                assert asked["port"] in ports


def test_liveness_never_depends_on_the_engine(objects: list[Object]) -> None:
    """A Triton that is away, or a model that loads, must not restart a gateway."""
    (gateway,) = [one for _, one in containers(objects) if one["name"] == "gateway"]
    asked = {kind: gateway[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_there_is_time_to_load(objects: list[Object]) -> None:
    least = {"gateway": 60, "triton": 300}
    for _, _, spec in pods(objects):
        for container in spec["containers"]:
            probe = container["startupProbe"]
            assert probe["periodSeconds"] * probe["failureThreshold"] >= least[container["name"]]


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


def test_services_and_budgets_select_pods_that_are_there(objects: list[Object]) -> None:
    every = {name: (metadata["labels"], spec) for name, metadata, spec in pods(objects)}
    budgeted = set()
    for one in of_kind(objects, "PodDisruptionBudget"):
        (name,) = [name for name, (labels, _) in every.items() if selects(one["spec"]["selector"], labels)]
        budgeted.add(name)
    assert budgeted == set(every)
    for one in of_kind(objects, "Service"):
        (spec,) = [spec for labels, spec in every.values() if one["spec"]["selector"].items() <= labels.items()]
        there = {port["name"] for port in spec["containers"][0]["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= there
    for deployment in of_kind(objects, "Deployment"):
        labels = every[deployment["metadata"]["name"]][0]
        assert selects(deployment["spec"]["selector"], labels)
        spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert all(selects(one["labelSelector"], labels) for one in spread)
        assert "kubernetes.io/hostname" in {one["topologyKey"] for one in spread}


def test_nothing_is_open_that_no_policy_opens(objects: list[Object]) -> None:
    deny = named(objects, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_scraping_is_announced_where_metrics_are(objects: list[Object]) -> None:
    for _, metadata, spec in pods(objects):
        told = metadata["annotations"]
        assert told["prometheus.io/path"] == "/metrics"
        ports = {str(port["containerPort"]): port["name"] for port in spec["containers"][0]["ports"]}
        assert ports[told["prometheus.io/port"]] in {"http", "metrics"}


def test_the_autoscaler_reads_a_metric_that_is_made_of_ours(objects: list[Object], overlay: str) -> None:
    (scaler,) = of_kind(objects, "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert target["name"] == {"cpu": "gateway", "gpu": "triton"}[overlay], "whatever holds the model"
    assert "replicas" not in named(objects, "Deployment", target["name"])["spec"], "or each rollout would reset it"
    assert scaler["spec"]["minReplicas"] >= 2
    (metric,) = scaler["spec"]["metrics"]
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    queue_time = Metrics().request_queue_time._name
    for series in ("sum", "count"):
        assert f"{queue_time}_{series}{{" in rule["metricsQuery"]
    assert rule["seriesQuery"].startswith(f"{queue_time}_count{{")
