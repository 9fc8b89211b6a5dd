"""Find a wheel on the package index that pip is configured for, so that mirrors and corporate indexes just work."""

import ast
import importlib.util
import os
import re
import ssl
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import certifi
import httpx
from pydantic import BaseModel, ValidationError
from selectolax.lexbor import LexborHTMLParser

from querygist.artifact.manifest import WheelSource
from querygist.errors import ArtifactError

DEFAULT_INDEX = "https://pypi.org/simple"

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


@dataclass(frozen=True, slots=True)
class Index:
    """A simple-repository index (PEP 503, PEP 691): its URL without credentials, and the credentials."""

    url: str
    auth: tuple[str, str] | None

    @classmethod
    def parse(cls, url: str) -> "Index":
        """Take the credentials out of a URL, as pip writes them. Raises ArtifactError for anything but http(s)."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ArtifactError(f"The package index URL is not valid ({error}). Set PIP_INDEX_URL.") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ArtifactError(
                f"The package index must be an http(s) URL; it is a {parsed.scheme or 'relative'!r} one. "
                "Set PIP_INDEX_URL, or QUERYGIST_BASE=/path/to/model.gguf to use a file you have."
            )
        auth = (parsed.username, parsed.password) if parsed.username else None
        return cls(str(parsed.copy_with(username=None, password=None)).rstrip("/"), auth)

    def auth_for(self, url: str) -> tuple[str, str] | None:
        """The credentials, when `url` is on the index's own host and nowhere else."""
        return self.auth if urlsplit(url).netloc == urlsplit(self.url).netloc else None


@lru_cache(maxsize=1)
def _pip_configuration() -> dict[str, str]:
    """What pip's configuration files say, by name; pip itself knows where they lie. Empty without pip."""
    if importlib.util.find_spec("pip") is None:
        return {}
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for section in ("global", "install", "download"):  # the later, the more specific
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", asked.stdout, re.MULTILINE):
            found[name] = str(ast.literal_eval(value))
    return found


def pip_setting(name: str) -> str | None:
    """What pip's environment variables, else its configuration files, say about `name` ("index-url", "cert")."""
    variable = f"PIP_{name.upper().replace('-', '_')}"
    return os.environ.get(variable) or _pip_configuration().get(name)


def resolve(index_url: str | None) -> Index:
    """The index to ask: the argument, else pip's, else PyPI. Raises ArtifactError for a URL nobody can ask."""
    return Index.parse(index_url or pip_setting("index-url") or DEFAULT_INDEX)


def tls_context() -> ssl.SSLContext:
    """Trust what the system trusts, certifi's authorities, and the authority file pip is told to trust.

    Raises ArtifactError when such a file is named and cannot be read.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    named = pip_setting("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if named:
        try:
            context.load_verify_locations(capath=named) if Path(named).is_dir() else context.load_verify_locations(
                named
            )
        except OSError as error:
            raise ArtifactError(
                f"The certificate authority file {named} cannot be read ({error.strerror or error}). "
                "Mend PIP_CERT, REQUESTS_CA_BUNDLE or SSL_CERT_FILE."
            ) from error
    return context


class _File(BaseModel):
    filename: str
    url: str
    hashes: dict[str, str]


class _Project(BaseModel):
    files: list[_File]


def find_file(client: httpx.Client, index: Index, wheel: WheelSource) -> str:
    """The URL of the wheel's file on the index.

    Raises httpx.HTTPError when the index does not answer, and ArtifactError when its answer is no index page, does not
    list the file, or lists it under another hash.
    """
    project = re.sub(r"[-_.]+", "-", wheel.project).lower()
    url = f"{index.url}/{project}/"
    answer = client.get(url, headers={"Accept": _ACCEPT}, auth=index.auth)
    answer.raise_for_status()
    files = _files_of(answer)
    for file in files:
        if file.filename == wheel.filename:
            listed = file.hashes.get("sha256", wheel.sha256)
            if listed != wheel.sha256:
                raise ArtifactError(
                    f"{url} lists {wheel.filename} with sha256 {listed}; the model manifest expects {wheel.sha256}. "
                    "This index serves another file: use another one (PIP_INDEX_URL), or a file you trust "
                    "(QUERYGIST_BASE=/path/to/model.gguf)."
                )
            return urljoin(str(answer.url), file.url)
    raise ArtifactError(
        f"{url} lists {len(files)} files, and {wheel.filename} is not among them. "
        "Use an index that has it (PIP_INDEX_URL), or a file you have (QUERYGIST_BASE=/path/to/model.gguf)."
    )


def _files_of(answer: httpx.Response) -> list[_File]:
    if "json" in answer.headers.get("Content-Type", ""):
        try:
            return _Project.model_validate_json(answer.content).files
        except ValidationError as error:
            raise ArtifactError(f"{answer.url} is no package index page (PEP 691). Check PIP_INDEX_URL.") from error
    files = []
    for link in LexborHTMLParser(answer.content).css("a[href]"):
        url, _, fragment = (link.attributes["href"] or "").partition("#")
        algorithm, _, digest = fragment.partition("=")
        files.append(_File(filename=link.text(strip=True), url=url, hashes={algorithm: digest} if digest else {}))
    return files
