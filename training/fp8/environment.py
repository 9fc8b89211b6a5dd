"""ModelOpt's own environment, in which one step runs: it needs another transformers than everything else here."""

import subprocess
from pathlib import Path

from querygist.errors import ConfigurationError
from training.config import REPOSITORY

STEP = "training.fp8.modelopt_step"


def interpreter(venv: Path) -> Path:
    """The Python of the environment `venv`. Raises ConfigurationError when it is not installed."""
    python = venv / "bin" / "python"
    if not python.exists():
        raise ConfigurationError(
            f"There is no ModelOpt environment in {venv}. `make fp8-venv` installs it in .venv-fp8; fp8.venv or "
            "FP8_VENV name another one."
        )
    return python


def quantize(venv: Path, folder: Path) -> None:
    """Run the step on `folder`, its progress on this terminal. Raises ConfigurationError when it fails."""
    done = subprocess.run(  # noqa: S603  our own module, in the environment that the operator names
        [interpreter(venv), "-m", STEP, folder], cwd=REPOSITORY, check=False
    )
    if done.returncode:
        raise ConfigurationError(
            f"ModelOpt did not quantize {folder} (exit code {done.returncode}); what it said stands above. "
            f"{venv} must hold what training/fp8/requirements.txt names."
        )
