"""Finding a Triton server in a virtual environment: a real one where there is one, and broken ones made here."""

import subprocess
from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from querygist.triton_server.installation import NEEDED, Installation


def add_distribution(site: Path, name: str, version: str = "1.26.4") -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def make_venv(at: Path, *, python: str = "3.11", numpy: str = "1.26.4") -> Path:
    """What `make triton` leaves, the large files empty."""
    site = at / f"lib/python{python}/site-packages"
    root = site / "pytriton/tritonserver"
    for path in (
        at / "pyvenv.cfg",
        root / "bin/tritonserver",
        root / "backends/python/libtriton_python.so",
        root / "backends/python/triton_python_backend_utils.py",
        root / f"python_backend_stubs/{python}/triton_python_backend_stub",
        site / "nvidia_pytriton.libs/libcudart.so",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in NEEDED:
        add_distribution(site, name, numpy if name == "numpy" else "1.0")
    return at


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_the_python_stub_stands_beside_the_backend(tmp_path: Path, python: str) -> None:
    installation = Installation.find(make_venv(tmp_path / "venv", python=python))
    backends = installation.backend_directory(tmp_path / "backends")
    links = {path.name: path for path in (backends / "python").iterdir()}
    assert links.keys() == {"libtriton_python.so", "triton_python_backend_utils.py", "triton_python_backend_stub"}
    assert all(path.is_symlink() and path.exists() for path in links.values())
    assert links["triton_python_backend_stub"].resolve().parent.name == python
    assert installation.binary.is_file()


def test_a_relative_path_is_found_from_wherever_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_venv(tmp_path / "venv")
    monkeypatch.chdir(tmp_path)
    assert Installation.find(Path("venv")).binary.is_absolute()


def refused(venv: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Installation.find(venv)
    assert "make triton" in caught.value.detail
    assert str(venv) in caught.value.detail
    return caught.value.detail


def test_no_environment_at_all_is_named(tmp_path: Path) -> None:
    assert "no virtual environment" in refused(tmp_path / "nothing")


def test_python_3_13_is_refused(tmp_path: Path) -> None:
    assert "Python 3.13" in refused(make_venv(tmp_path / "venv", python="3.13"))


def test_numpy_2_is_refused(tmp_path: Path) -> None:
    assert "numpy 2.4.6" in refused(make_venv(tmp_path / "venv", numpy="2.4.6"))


@pytest.mark.parametrize("name", NEEDED)
def test_a_distribution_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    venv = make_venv(tmp_path / "venv")
    (metadata,) = venv.glob(f"lib/*/site-packages/{name.replace('-', '_')}-*.dist-info/METADATA")
    metadata.unlink()
    metadata.parent.rmdir()
    assert f"{name} is not installed" in refused(venv)


@pytest.mark.parametrize(
    "file", ["bin/tritonserver", "backends/python/libtriton_python.so",
             "python_backend_stubs/3.11/triton_python_backend_stub"],
)  # fmt: skip
def test_a_file_that_is_missing_is_named(tmp_path: Path, file: str) -> None:
    venv = make_venv(tmp_path / "venv")
    (venv / "lib/python3.11/site-packages/pytriton/tritonserver" / file).unlink()
    assert file in refused(venv)


def test_two_pythons_in_one_environment_are_refused(tmp_path: Path) -> None:
    make_venv(tmp_path / "venv", python="3.12")
    assert "holds 2" in refused(make_venv(tmp_path / "venv", python="3.11", numpy="1.26.3"))


def fake_python(venv: Path, *, libraries: Path) -> None:
    """An interpreter that tells where its shared library would be."""
    (venv / "bin").mkdir()
    script = venv / "bin/python"
    script.write_text(f"#!/bin/sh\necho {libraries}\necho {libraries}/other\n")
    script.chmod(0o755)


def test_the_server_gets_its_libraries_and_the_stub_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = make_venv(tmp_path / "venv")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libpython3.11.so.1.0").touch()
    fake_python(venv, libraries=tmp_path / "lib")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/mine")
    monkeypatch.setenv("PATH", "/usr/bin")
    environment = Installation.find(venv).environment()
    libraries = venv / "lib/python3.11/site-packages/nvidia_pytriton.libs"
    assert environment["LD_LIBRARY_PATH"] == f"{libraries}:{tmp_path}/lib:/opt/mine"
    assert environment["PATH"] == f"{venv}/bin:/usr/bin"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert Installation.find(venv).environment()["LD_LIBRARY_PATH"] == f"{libraries}:{tmp_path}/lib"


def test_a_python_without_libpython_is_told_what_to_install(tmp_path: Path) -> None:
    venv = make_venv(tmp_path / "venv")
    fake_python(venv, libraries=tmp_path)
    with pytest.raises(ConfigurationError, match=r"libpython3\.11\.so\.1\.0.*apt-get install libpython3\.11"):
        Installation.find(venv).environment()


def test_a_python_that_is_gone_is_named(tmp_path: Path) -> None:
    venv = make_venv(tmp_path / "venv")
    (venv / "bin").mkdir()
    (venv / "bin/python").symlink_to(tmp_path / "uninstalled")
    with pytest.raises(ConfigurationError, match=r"bin/python does not run"):
        Installation.find(venv).environment()


def test_the_real_server_starts_with_this_environment(triton_installation: Installation) -> None:
    told = subprocess.run(
        [triton_installation.binary, "--help"],
        env=triton_installation.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "--grpc-port" in told.stdout + told.stderr
