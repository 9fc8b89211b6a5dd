"""An engine on its way to Triton."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from querygist.errors import ArtifactError
from querygist.triton_server.repository import load_config
from querygist.trtllm.build import build_engines
from querygist.trtllm.container import Container
from querygist.trtllm.deliver import deliver
from tests.conftest import REPOSITORY


@pytest.fixture
def engines(checkpoint_folder: Callable[..., Path], container: Container, tmp_path: Path) -> Path:
    """Built for a server that finds it under `tmp_path`/models."""
    build_engines(checkpoint_folder(), tmp_path / "engines", Console(quiet=True), served_from=tmp_path / "models")
    return tmp_path / "engines" / "lookahead"


def test_it_arrives_whole_over_what_was_there(engines: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "lookahead"
    (target / "tensorrt_llm" / "1").mkdir(parents=True)
    (target / "tensorrt_llm" / "1" / "left.engine").write_text("of a release before")
    manifest = deliver(engines, target)
    arrived = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert arrived == {str(p.relative_to(engines)): p.read_bytes() for p in engines.rglob("*") if p.is_file()}
    assert set(manifest.engine) <= {Path(name).name for name in arrived}
    assert load_config(target / "tensorrt_llm").parameters["gpt_model_path"].string_value == str(
        target / "tensorrt_llm" / "1"
    )


def test_a_changed_byte_is_found(engines: Path, tmp_path: Path) -> None:
    file = engines / "tensorrt_llm" / "1" / "rank0.engine"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match=r"rank0\.engine .* changed"):
        deliver(engines, tmp_path / "models" / "lookahead")


def test_an_engine_of_another_model_is_refused(engines: Path, tmp_path: Path) -> None:
    file = engines / "tensorrt_llm" / "1" / "engine_manifest.json"
    manifest = json.loads(file.read_text())
    manifest["model"]["version"] = "0.0.1"
    file.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"another model than this release's: version is '0\.0\.1'"):
        deliver(engines, tmp_path / "models" / "lookahead")


def test_an_engine_for_another_place_is_refused(engines: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="--served-from"):
        deliver(engines, tmp_path / "elsewhere" / "lookahead")


def test_no_engine_is_told_in_one_line_by_the_command(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "querygist",
        "engine",
        "deliver",
        str(tmp_path / "nothing"),
        str(tmp_path / "models"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 1
    assert "error: Cannot copy" in done.stderr
    assert "Traceback" not in done.stderr
