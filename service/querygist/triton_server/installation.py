"""A Triton server in a virtual environment of its own, because it needs numpy 1 and the gateway numpy 2.

`nvidia-pytriton`'s wheel carries the genuine server (2.51.0, python backend only); its Python API is never imported.
    site-packages/pytriton/tritonserver/bin/tritonserver
    site-packages/pytriton/tritonserver/backends/python/{libtriton_python.so, triton_python_backend_utils.py}
    site-packages/pytriton/tritonserver/python_backend_stubs/3.X/triton_python_backend_stub
    site-packages/nvidia_pytriton.libs/          the server's shared libraries
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import NoReturn

from querygist.errors import ConfigurationError

PYTHONS = ("3.11", "3.12")
"""Both the project and the server's python backend run on these; with 3.13 its stubs do not start."""

NEEDED = ("nvidia-pytriton", "numpy", "openvino", "openvino-genai", "openvino-tokenizers", "querygist")
"""The server, and what the model imports inside of it."""

STUB = "triton_python_backend_stub"

LIBRARY_FOLDERS = """
import sys, sysconfig
print(sysconfig.get_config_var("LIBDIR"))
print(sys.base_prefix + "/lib")
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """A Triton server in a virtual environment; `python` is that environment's version, like "3.11"."""

    venv: Path
    python: str
    site: Path

    @classmethod
    def find(cls, venv: Path) -> "Installation":
        """Look for the server in `venv`, running nothing. Raises ConfigurationError naming what is missing."""
        venv = venv.absolute()  # not resolved: bin/python is a link out of the environment
        if not (venv / "pyvenv.cfg").is_file():
            _refuse(f"There is no virtual environment at {venv}.")
        sites = sorted(venv.glob("lib/python3.*/site-packages"))
        if len(sites) != 1:
            _refuse(f"{venv}/lib should hold one python3.X/site-packages and holds {len(sites)}.")
        python = sites[0].parent.name.removeprefix("python")
        if python not in PYTHONS:
            _refuse(
                f"{venv} has Python {python}; Triton's python backend and this project share {' and '.join(PYTHONS)}."
            )
        installation = cls(venv, python, sites[0])
        installation._check_distributions()
        for path in (
            installation.binary,
            installation._stub,
            installation._backend / "libtriton_python.so",
            installation._libraries,
        ):
            if not path.exists():
                _refuse(f"{path} is missing.")
        return installation

    @property
    def binary(self) -> Path:
        """The server's executable."""
        return self._root / "bin" / "tritonserver"

    def backend_directory(self, into: Path) -> Path:
        """Fill `into` for `--backend-directory`, and return it: the right Python's stub beside the backend.

        Symlinks, because the files find their libraries relative to where they really are. OSError when it exists.
        """
        python = into / "python"
        python.mkdir(parents=True)
        for path in (*self._backend.iterdir(), self._stub):
            (python / path.name).symlink_to(path)
        return into

    def environment(self) -> Mapping[str, str]:
        """Return this process's environment, changed so that the server finds its libraries and the stub its Python.

        Raises ConfigurationError when the environment's Python has no shared library, which the stub is linked to.
        """
        libraries = [str(self._libraries), str(self._libpython_folder())]
        return os.environ | {
            "PATH": os.pathsep.join([str(self.venv / "bin"), os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(
                libraries + [before for before in [os.environ.get("LD_LIBRARY_PATH")] if before]
            ),
        }

    @property
    def _root(self) -> Path:
        return self.site / "pytriton" / "tritonserver"

    @property
    def _backend(self) -> Path:
        return self._root / "backends" / "python"

    @property
    def _stub(self) -> Path:
        return self._root / "python_backend_stubs" / self.python / STUB

    @property
    def _libraries(self) -> Path:
        return self.site / "nvidia_pytriton.libs"

    def _check_distributions(self) -> None:
        versions = {}
        for name in NEEDED:
            distribution = next(iter(Distribution.discover(name=name, path=[str(self.site)])), None)
            if distribution is None:
                _refuse(f"{name} is not installed in {self.venv}.")
            versions[name] = distribution.version
        if not versions["numpy"].startswith("1."):
            _refuse(f"{self.venv} has numpy {versions['numpy']}; Triton's python backend crashes with numpy 2.")

    def _libpython_folder(self) -> Path:
        """Return the folder of the base Python's shared library."""
        name = f"libpython{self.python}.so.1.0"
        python = self.venv / "bin" / "python"
        try:
            asked = subprocess.run(  # noqa: S603  the operator's own environment
                [str(python), "-c", LIBRARY_FOLDERS], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            _refuse(f"{python} does not run ({error}).")
        for folder in map(Path, asked.stdout.splitlines()):
            if (folder / name).exists():
                return folder
        raise ConfigurationError(
            f"Triton's python backend needs {name}, which is in none of {', '.join(asked.stdout.splitlines())}. "
            f"On Debian: apt-get install libpython{self.python}. A Python of your own: build it with --enable-shared."
        )


def _refuse(what: str) -> NoReturn:
    raise ConfigurationError(
        f"{what} `make triton` installs a Triton server into .venv-triton; QUERYGIST_TRITON_VENV names another place."
    ) from None
