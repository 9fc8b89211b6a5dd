"""The Dockerfile without a container engine.

The RUN lines of the stages `build` and `model`, in a folder that stands for the root, with nothing of this environment
but pip's settings and cache; then the ENTRYPOINT of `gateway` with its variables alone, without root's privileges, on a
tree that nobody may write to. Not run: the line that adds the user, and `triton-cpu`, which needs NVIDIA's image.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from querygist.settings import load
from querygist.triton_server.ports import claim
from querygist.triton_server.repository import load_config
from tests import dockerfile
from tests.conftest import REPOSITORY, until_ready

pytestmark = pytest.mark.slow

STAGES = dockerfile.read()

RELOCATED = ("/opt/querygist", "/var/lib/querygist", "/src", "/root/.cache/pip")
"""Folders that the Dockerfile writes to."""

PASSED_ON = re.compile(r"PIP_\w+|SSL_\w+|\w+_CA_BUNDLE|\w+_proxy", re.IGNORECASE)
"""What a network may need; the rest of this environment is no business of the image's."""

INSTALL_SECONDS = 900


@dataclass
class Image:
    """`root` stands for the file system's."""

    root: Path

    def at(self, text: str) -> str:
        """Paths of the image, as they are here."""
        return re.sub(rf"(?<![\w.])({'|'.join(RELOCATED)})\b", lambda path: f"{self.root}{path[0]}", text)

    def environment(self, stage: str, home: Path) -> dict[str, str]:
        told = {name: self.at(value) for name, value in STAGES[stage].environment().items()}
        path = f"{self.root}/usr/bin:{os.defpath}"
        return {"HOME": str(home), "PATH": path} | told | {"PATH": told.get("PATH", "$PATH").replace("$PATH", path)}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The stages `build` and `model`, built; then read-only."""
    root = Path(tempfile.mkdtemp(prefix="querygist-image-"))  # pytest's own folders are closed to other users
    root.chmod(0o755)
    try:
        built = Image(root)
        _prepare(built)
        for stage in ("build", "model"):
            _build(built, stage)
        _write(root, allowed=False)
        yield built
    finally:
        _write(root, allowed=True)
        shutil.rmtree(root)


def _prepare(image: Image) -> None:
    """The base image's `python`, and the base model where it is already on this machine (its hash is checked)."""
    (image.root / "usr/bin").mkdir(parents=True)
    (image.root / "usr/bin/python").symlink_to(getattr(sys, "_base_executable", sys.executable))
    for folder in RELOCATED[1:3]:
        (image.root / folder[1:]).mkdir(parents=True)
    here = load().cache_dir / "base"
    if here.is_dir():
        shutil.copytree(here, image.root / "var/lib/querygist/base")


def _build(image: Image, stage: str) -> None:
    for name, value in STAGES[stage].instructions:
        if name == "COPY":
            *sources, target = value.split()
            for source in sources:
                _copy(REPOSITORY / source, image.root / "src" / target)
        elif name == "RUN":
            passed_on = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
            cache = subprocess.run(
                [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
            )
            done = subprocess.run(
                ["sh", "-ec", image.at(dockerfile.without_flags(value))],
                env=passed_on | image.environment(stage, image.root) | {"PIP_CACHE_DIR": cache.stdout.strip()},
                cwd=image.root / "src", capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-3000:]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _write(root: Path, *, allowed: bool) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IWUSR if allowed else mode & ~0o222)


def _tree(root: Path) -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_mtime_ns) for path in root.rglob("*")}


def _unprivileged(words: list[str]) -> list[str]:
    """As a container without capabilities would: as the image's user, unless Python lies in root's own folder."""
    if os.geteuid() != 0:
        return words
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    open_to_others = all(folder.stat().st_mode & stat.S_IXOTH for folder in python.parents)
    user = ["--reuid=10001", "--regid=10001", "--clear-groups"] if open_to_others else []
    return ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *user, *words]


@contextlib.contextmanager
def _started(words: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_unprivileged(words), env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(2 * INSTALL_SECONDS)
async def test_the_image_serves_from_a_tree_it_cannot_write(image: Image) -> None:
    gateway = STAGES["gateway"]
    before = _tree(image.root)
    port, operations = claim([("0.0.0.0", 0), ("0.0.0.0", 0)])
    with tempfile.TemporaryDirectory(prefix="querygist-tmp-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o777)
        environment = image.environment("gateway", folder) | {
            "QUERYGIST_PORT": str(port), "QUERYGIST_OPERATIONS_PORT": str(operations), "TMPDIR": temporary
        }  # fmt: skip
        command, *words = gateway.words("ENTRYPOINT") + gateway.words("CMD")
        executable = shutil.which(command, path=environment["PATH"])
        assert executable == f"{image.root}/opt/querygist/bin/querygist"
        refused, made = (
            subprocess.run([executable, *some], env=environment, capture_output=True, text=True, check=False)
            for some in (words, ["api-key", "search"])
        )
        assert refused.returncode == 1
        assert "QUERYGIST_OPEN=true" in refused.stderr, "others can reach it, and there are no keys"
        (folder / "api-keys.json").write_text(made.stdout)
        environment["QUERYGIST_API_KEYS_FILE"] = str(folder / "api-keys.json")
        headers = {"X-Deadline-Ms": "60000", "Authorization": f"Bearer {made.stderr.split()[-1]}"}
        with _started([executable, *words], environment, folder) as process:
            url = f"http://127.0.0.1:{port}"
            try:
                await until_ready(f"http://127.0.0.1:{operations}")
            except TimeoutError:
                pytest.fail((folder / "log").read_text()[-3000:])
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                assert (await client.get("/livez")).status_code == 200
                body = {"query": "when was penicillin discovered", "document": "Penicillin was discovered in 1928."}
                assert (await client.post("/summarize", json=body)).status_code == 401
                assert (await client.get("/metrics")).status_code == 404
                answer = await client.post("/summarize", json=body, headers=headers)
                assert answer.json()["method"] == "generative"
            health = re.search(r"CMD (\[.*\])", gateway.one("HEALTHCHECK"))
            assert health
            check, *arguments = json.loads(health[1])
            asked = [shutil.which(check, path=environment["PATH"]), *arguments]
            assert subprocess.run(asked, env=environment, check=False).returncode == 0  # type: ignore[arg-type]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert subprocess.run(asked, env=environment, check=False, stderr=subprocess.DEVNULL).returncode != 0  # type: ignore[arg-type]
    assert _tree(image.root) == before


def test_the_image_has_its_extras(image: Image) -> None:
    """pip only warns of an extra that the project does not name."""
    words = [image.root / "opt/querygist/bin/python", "-c", "import tritonclient.grpc, redis, opentelemetry.sdk"]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr


def test_the_image_has_tritons_models_and_delivers_engines(image: Image) -> None:
    config = load_config(image.root / "var/lib/querygist/triton/tensorrt_llm")
    assert {"querygist_identity", "querygist_engine"} <= set(config.parameters)
    assert not (image.root / "var/lib/querygist/base").exists(), "merged, and not needed any more"
    words = [image.root / "opt/querygist/bin/querygist", "engine", "deliver", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr


def test_the_bill_of_materials_names_what_it_installs(image: Image, tmp_path: Path) -> None:
    python, bill = image.root / "opt/querygist/bin/python", tmp_path / "sbom.json"
    tool = Path(sys.executable).with_name("cyclonedx-py")
    words = [tool, "environment", "--pyproject", REPOSITORY / "pyproject.toml", "--output-file", bill, python]
    subprocess.run(words, check=True, capture_output=True)
    found = json.loads(bill.read_text())
    assert found["metadata"]["component"]["name"] == "querygist"
    versions = {one["name"].lower(): one["version"] for one in found["components"]}
    pinned = dict(re.findall(r"(?m)^([\w.-]+)==([\w.+]+)", (REPOSITORY / "constraints.txt").read_text()))
    for name in ("fastapi", "openvino", "redis", "tritonclient", "opentelemetry-sdk"):
        assert versions[name] == pinned[name]
    assert not {"pytest", "torch", "locust", "cyclonedx-bom"} & set(versions)
