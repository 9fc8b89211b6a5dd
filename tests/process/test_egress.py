"""Nothing leaves the machine that nobody asked for: no statistics, no updates, at no start and no request."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from querygist import artifact, settings
from tests.conftest import REPOSITORY
from tests.process.conftest import PROGRAM, Start
from tests.process.egress import Watch
from tests.process.test_life import BODY

pytestmark = pytest.mark.slow

_SOURCES = {"service": "service", "training": ".", "loadtest": ".", "deploy": "."}
_TELLING = re.compile(r"^\s*(?:import|from) (?:openvino|openvino_genai|openvino_tokenizers|nncf)\b", re.MULTILINE)


def modules_with_telemetry() -> list[str]:
    """Our modules that import a library that calls home."""
    paths = [(path, top) for folder, top in _SOURCES.items() for path in (REPOSITORY / folder).rglob("*.py")]
    found = [(path, top) for path, top in paths if _TELLING.search(path.read_text())]
    return sorted(".".join(path.relative_to(REPOSITORY / top).with_suffix("").parts) for path, top in found)


def run(watch: Watch, *command: str, **others: str) -> None:
    done = subprocess.run(
        [*watch.prefix, *command], env=dict(watch.environment) | others, cwd=REPOSITORY,
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_both_witnesses_see_what_leaves(watch: Watch) -> None:
    send = "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM).connect(('192.0.2.1', 9))"  # no packet
    run(watch, sys.executable, "-c", f"import os; os.fork() or exec({send!r}, globals()); os.fork() or os._exit(0)")
    assert len(watch.attempts()) == 1 + bool(watch.prefix)


async def test_serving_asks_for_nothing_outside(watch: Watch, start: Start, tmp_path: Path) -> None:
    """Engine and reader start, and answer a request; nothing is written to the user's home."""
    home = tmp_path / "home"
    home.mkdir()
    cache_dir = str(settings.load().cache_dir.resolve())
    environment = dict(watch.environment) | {"HOME": str(home)}
    async with start(program=(*watch.prefix, *PROGRAM), environment=environment, CACHE_DIR=cache_dir) as gateway:
        await gateway.event("reader_loaded")
        answer = (await gateway.client.post("/summarize", json=BODY)).json()
        assert answer["usage"]["completion_tokens"] > 0
    assert watch.attempts() == []
    assert list(home.iterdir()) == []


def test_building_from_a_local_base_asks_for_nothing_outside(watch: Watch, tmp_path: Path) -> None:
    base = str(artifact.fetch_base(settings.load()))
    own = {"QUERYGIST_BASE": base, "QUERYGIST_CACHE_DIR": str(tmp_path / "cache")}
    run(watch, *PROGRAM, "model", "build", **own)
    assert watch.attempts() == []


@pytest.mark.training
def test_training_asks_for_nothing_outside(watch: Watch, tmp_path: Path) -> None:
    """The other stages: tests/process/test_pipeline.py."""
    for stage in ("data", "sft"):
        config = ("--config", "training/configs/smoke.yaml", "--set", f"work_dir={tmp_path / 'run'}")
        run(watch, sys.executable, "-m", "training", stage, *config)
    assert watch.attempts() == []


@pytest.mark.parametrize("module", modules_with_telemetry())
def test_a_module_imported_first_asks_for_nothing_outside(watch: Watch, module: str) -> None:
    run(watch, sys.executable, "-c", f"import {module}, openvino")
    assert watch.attempts() == []
