"""The tiny checkpoints as fixtures."""

from pathlib import Path

import pytest

from tests.unit.training.fp8.checkpoint_fixtures import Made, gpt2_checkpoint, llama_checkpoint


@pytest.fixture
def llama(tmp_path: Path) -> Made:
    return llama_checkpoint(tmp_path / "llama")


@pytest.fixture
def gpt2(tmp_path: Path) -> Made:
    return gpt2_checkpoint(tmp_path / "gpt2")


@pytest.fixture(params=["llama", "gpt2"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found
