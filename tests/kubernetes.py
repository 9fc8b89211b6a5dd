"""The Kubernetes objects of an overlay, as kubectl renders them, and ways to look at them."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import yaml

from querygist.settings import Settings
from tests import dockerfile
from tests.conftest import REPOSITORY, missing

FOLDER = REPOSITORY / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")

UNITS = {"": 1, "m": Decimal("0.001"), "Mi": 2**20, "Gi": 2**30}

Object = dict[str, Any]


@cache
def rendered(overlay: str) -> list[Object]:
    """What would be applied."""
    if shutil.which("kubectl") is None:
        missing("kubectl is not installed (Debian: kubernetes-client)")
    done = subprocess.run(
        ["kubectl", "kustomize", FOLDER / "overlays" / overlay], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def named(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Every deployment's name, pod metadata and pod specification."""
    for one in of_kind(objects, "Deployment"):
        template = one["spec"]["template"]
        yield one["metadata"]["name"], template["metadata"], template["spec"]


def containers(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Every container with its pod's specification."""
    for _, _, spec in pods(objects):
        for container in spec.get("initContainers", []) + spec["containers"]:
            yield spec, container


def environment(objects: list[Object], container: Object) -> dict[str, str]:
    """What the container's process finds set, as strings; the operator's own secrets are optional."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "secretRef" in source:
            assert source["secretRef"]["optional"]
        else:
            found |= named(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {one["name"]: one["value"] for one in container.get("env", [])}


def settings_of(objects: list[Object]) -> Settings:
    """The gateway's settings in this overlay, those of the image among them."""
    container = next(one for _, one in containers(objects) if one["name"] == "gateway")
    image = dockerfile.read()["gateway"].environment()
    told = {name: value for name, value in image.items() if name.startswith("QUERYGIST_")}
    told |= environment(objects, container)
    return Settings(**{name.removeprefix("QUERYGIST_").lower(): value for name, value in told.items()})  # type: ignore[arg-type]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def quantity(text: str) -> Decimal:
    unit = text.lstrip("0123456789.")
    return Decimal(text.removesuffix(unit)) * UNITS[unit]


def component(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/component": name}
