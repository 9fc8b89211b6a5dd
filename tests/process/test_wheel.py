"""The wheel in an empty virtual environment, in another folder, beside PyPI's package `service`."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from querygist import settings
from tests.conftest import REPOSITORY
from tests.process.conftest import Start

pytestmark = pytest.mark.timeout(600)  # it installs half a gigabyte from pip's cache: 45 s of CPU time

DOCUMENT = "The tower is 330 m tall. It was finished in 1889. Its paint is renewed every seven years."
QUERY = "How tall is the tower?"


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, REPOSITORY, cwd=folder)
    [built] = folder.glob("querygist-*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel, what it depends on, and PyPI's `service`."""
    root = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(root, with_pip=True)
    pip = (root / "bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--constraint", REPOSITORY / "constraints.txt", wheel, "service==0.6.0", cwd=root)
    return root / "bin"


def test_the_wheel_has_one_package_and_the_model_files_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names if ".dist-info/" not in name} == {"querygist"}
    assert len({name.split("/")[0] for name in names}) == 2, "the package and its dist-info"
    assert "querygist/py.typed" in names
    repository = REPOSITORY / "model_repository"
    tracked = run("git", "ls-files", cwd=repository).splitlines()
    assert {f"querygist/model_repository/{name}" for name in tracked} <= set(names)


def test_pypis_service_is_still_itself(programs: Path, tmp_path: Path) -> None:
    code = "import service, querygist; print(service.__file__); print(querygist.__file__)"
    theirs, ours = run(programs / "python", "-c", code, cwd=tmp_path).splitlines()
    site = next(programs.parent.glob("lib/python3.*/site-packages"))
    assert Path(theirs).is_relative_to(site)
    assert Path(ours) == site / "querygist/__init__.py"
    names = run(programs / "python", "-m", "pip", "show", "--files", "service", cwd=tmp_path)
    assert Path(theirs).relative_to(site).as_posix() in names


def test_it_summarizes_from_any_folder(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(DOCUMENT)
    said = run(programs / "querygist", "summarize", "--query", QUERY, "page.txt", cwd=tmp_path)
    assert len(said.split()) > 3


async def test_it_serves_from_any_folder(
    start: Start, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    cache = str(settings.load().cache_dir)
    async with start(program=[str(programs / "querygist")], cwd=tmp_path, CACHE_DIR=cache) as gateway:
        answer = (await gateway.client.post("/summarize", json={"query": QUERY, "document": DOCUMENT})).json()
    assert answer["reason"] in (None, "checker"), "the model was asked"
    assert answer["usage"]["completion_tokens"]
    assert answer["summary"]
