"""One file over HTTP into `<name>.part`, continued where it broke off, renamed when its hash is right."""

import hashlib
from pathlib import Path

import httpx

from querygist.artifact.progress import Report
from querygist.errors import ArtifactError


def download(
    client: httpx.Client,
    url: str,
    target: Path,
    sha256: str,
    progress: Report,
    *,
    auth: tuple[str, str] | None = None,
) -> None:
    """Bring `url` to `target`. A broken transfer leaves its part behind, and the next call continues it.

    Raises httpx.HTTPError for a transfer that broke or was refused, ArtifactError for a file with the wrong hash (the
    part is then deleted), OSError when the disk does not take it.
    """
    part = target.with_name(f"{target.name}.part")
    digest = _transfer(client, url, part, progress, auth)
    if digest != sha256:
        part.unlink(missing_ok=True)
        raise ArtifactError(
            f"{url} has sha256 {digest}; the model manifest expects {sha256}. The download "
            "was deleted. Try again; if it happens again, use another index (PIP_INDEX_URL) or a file you trust "
            "(QUERYGIST_BASE=/path/to/model.gguf)."
        )
    part.replace(target)


def _transfer(client: httpx.Client, url: str, part: Path, progress: Report, auth: tuple[str, str] | None) -> str:
    """Fill `part` and return the sha256 of the whole of it."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # a Range counts bytes of the file, not of a compressed form
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", url, headers=headers, auth=auth) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return _digest_of(part).hexdigest()  # all of it was there already
            part.unlink()  # longer than the file itself: not a part of it
            raise httpx.RemoteProtocolError("the server has no such range; starting over", request=answer.request)
        answer.raise_for_status()
        continued = answer.status_code == httpx.codes.PARTIAL_CONTENT
        if continued and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise httpx.RemoteProtocolError("the server sent another range; starting over", request=answer.request)
        if not continued:
            have = 0
        digest = _digest_of(part) if continued else hashlib.sha256()
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        progress(have, total)
        with part.open("ab" if continued else "wb") as file:
            # Blocks as they arrive: with a block size, httpx would drop an unfilled one when the connection breaks.
            for block in answer.iter_bytes():
                file.write(block)
                digest.update(block)
                have += len(block)
                progress(have, total)
    return digest.hexdigest()


def _digest_of(part: Path) -> "hashlib._Hash":
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest
