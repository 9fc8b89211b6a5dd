"""The Dockerfile by hadolint and by the project it packs.

tests/process/test_dockerfile.py runs its RUN lines.
"""

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

from querygist.settings import Settings
from tests import dockerfile
from tests.conftest import REPOSITORY

STAGES = dockerfile.read()
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, "--no-color", dockerfile.PATH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_version_is_the_projects() -> None:
    assert f"VERSION={PYPROJECT['project']['version']}" in STAGES["gateway"].all("ARG")


def test_variables_are_settings_and_the_port_is_theirs() -> None:
    for stage in STAGES.values():
        ours = {name for name in stage.environment() if name.startswith("QUERYGIST_")}
        assert {name.removeprefix("QUERYGIST_").lower() for name in ours} <= set(Settings.model_fields)
    operations = STAGES["gateway"].environment()["QUERYGIST_OPERATIONS_PORT"]
    assert STAGES["gateway"].one("EXPOSE").split() == [str(Settings.model_fields["port"].default), operations]


def test_copied_files_exist_and_are_in_the_context() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for stage in STAGES.values():
        for value in stage.all("COPY"):
            if copied := re.search(r"--from=(\S+)", value):
                assert copied[1] in STAGES
                continue
            for source in value.split()[:-1]:
                assert (REPOSITORY / source).exists(), source
                assert f"!{source}" in ignored


def test_the_bill_of_materials_is_of_what_the_image_installs() -> None:
    made = (REPOSITORY / "Makefile").read_text()
    (image,) = [re.search(r'"\.\[(.+?)\]"', value) for value in STAGES["build"].all("RUN")]
    bill = re.search(r'IMAGE_VENV\)/bin/python -m pip install .*--constraint constraints\.txt "\.\[(.+?)\]"', made)
    assert image
    assert bill
    assert image[1] == bill[1]


def test_the_wheels_folders_are_in_the_image() -> None:
    """What pyproject.toml packs and the image lacks would be missing without a word."""
    packed = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {value.split()[0] for value in STAGES["build"].all("COPY")}
    assert {path.split("/")[0] for path in (*packed["packages"], *packed["force-include"])} <= copied
