"""pytest tests/unit/training/fp8/test_environment.py"""

import os
import sys
from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from training import config as configs
from training.config import REPOSITORY
from training.fp8 import environment


def venv_with(tmp_path: Path, script: str) -> Path:
    """An environment whose Python is this script."""
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!{sys.executable}\n{script}\n")
    python.chmod(0o755)
    return tmp_path / "venv"


def test_an_environment_that_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no ModelOpt environment in .*make fp8-venv"):
        environment.quantize(tmp_path, tmp_path)


def test_the_step_runs_in_it_from_the_repository(tmp_path: Path) -> None:
    venv = venv_with(tmp_path, f"import os, sys; open('{tmp_path}/seen', 'w').write(repr((os.getcwd(), sys.argv[1:])))")
    environment.quantize(venv, tmp_path / "model")
    expected = (str(REPOSITORY), ["-m", "training.fp8.modelopt_step", str(tmp_path / "model")])
    assert (tmp_path / "seen").read_text() == repr(expected)


def test_a_step_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"did not quantize .*exit code 3.*requirements.txt"):
        environment.quantize(venv_with(tmp_path, "raise SystemExit(3)"), tmp_path / "model")


@pytest.mark.parametrize(
    ("variable", "overrides", "expected"),
    [
        (None, [], REPOSITORY / ".venv-fp8"),
        ("/elsewhere", [], Path("/elsewhere")),
        ("/elsewhere", ["fp8.venv=/here"], Path("/here")),
    ],
)
def test_where_it_is(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, overrides: list[str], expected: Path
) -> None:
    monkeypatch.delenv("FP8_VENV", raising=False)
    if variable:
        monkeypatch.setitem(os.environ, "FP8_VENV", variable)
    assert configs.load(REPOSITORY / "training/configs/fp8.yaml", overrides).fp8.venv == expected
