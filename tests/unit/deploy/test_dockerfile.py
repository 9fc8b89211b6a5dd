"""What the Dockerfile says, by hadolint and by the project it packs.

tests/process/test_dockerfile.py does what it says.
"""

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from querygist.settings import Settings
from tests import dockerfile
from tests.conftest import REPOSITORY

ARGUMENTS, STAGES = dockerfile.read()


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, "--no-color", dockerfile.PATH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_bases_are_arguments_with_a_version_so_that_a_digest_can_be_given() -> None:
    for stage in STAGES.values():
        argument = re.fullmatch(r"\$\{(\w+)\}", stage.base)
        if argument is None:
            assert stage.base in STAGES
        else:
            _, _, tag = ARGUMENTS[argument[1]].rpartition("/")[2].partition(":")
            assert tag not in {"", "latest"}


def test_the_version_is_the_projects() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert f"VERSION={version}" in STAGES["gateway"].all("ARG")
    assert 'org.opencontainers.image.version="${VERSION}"' in STAGES["gateway"].one("LABEL")


@pytest.mark.parametrize("name", ["gateway", "triton-cpu"])
def test_what_runs_is_nobody_special(name: str) -> None:
    user, _, group = STAGES[name].all("USER")[-1].partition(":")
    assert int(user) >= 1000
    assert int(group) >= 1000


def test_variables_are_settings_and_the_port_is_theirs() -> None:
    for stage in STAGES.values():
        ours = {name for name in stage.environment() if name.startswith("QUERYGIST_")}
        assert {name.removeprefix("QUERYGIST_").lower() for name in ours} <= set(Settings.model_fields)
    assert STAGES["gateway"].one("EXPOSE") == str(Settings.model_fields["port"].default)


def test_health_is_asked_without_curl() -> None:
    check = STAGES["gateway"].one("HEALTHCHECK")
    assert "/livez" in check
    assert "curl" not in check


def test_what_is_copied_is_here_and_in_the_context() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for stage in STAGES.values():
        for value in stage.all("COPY"):
            if "--from=" in value:
                assert re.search(r"--from=(\S+)", value)[1] in STAGES  # type: ignore[index]
                continue
            *sources, _ = value.split()
            for source in sources:
                assert (REPOSITORY / source).exists(), source
                assert f"!{source}" in ignored


def test_the_wheels_folders_are_in_the_image() -> None:
    """What pyproject.toml packs and the image lacks would be missing without a word."""
    packed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {value.split()[0] for value in STAGES["build"].all("COPY")}
    assert {path.split("/")[0] for path in (*packed["packages"], *packed["force-include"])} <= copied
