"""The container's commands by script, first on PATH, and checkpoints for them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from querygist.engines.base import Identity
from querygist.trtllm.checkpoint import sign
from querygist.trtllm.container import IMAGE, Container
from tests import container_double

FP8 = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The commands are there; `faults("build")` makes one of them fail. See tests/container_double.py."""
    commands = container_double.installed(tmp_path / "commands")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")

    def set_faults(*names: str) -> None:
        monkeypatch.setenv(container_double.FAULTS, ",".join(names))

    return set_faults


@pytest.fixture
def container(faults: Callable[[str], None], tmp_path: Path) -> Container:
    return Container(IMAGE, (tmp_path,))


@pytest.fixture
def checkpoint_folder(tmp_path: Path, identity: Identity) -> Callable[..., Path]:
    """`checkpoint_folder(num_key_value_heads=3)`: an FP8 checkpoint of the shipped student's shape."""

    def make(name: str = "fp8", quantized: Mapping[str, str | None] = FP8, **config: Any) -> Path:
        folder = container_double.checkpoint(tmp_path / name, quantized, **config)
        sign(folder, identity)
        return folder

    return make
