"""A tiny base model, a package index that has it, and a weights folder like the shipped one."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from querygist.artifact import openvino_ir, package_index
from querygist.artifact.hf_to_gguf import convert
from querygist.artifact.manifest import Base
from tests.unit.artifact import tiny
from tests.unit.artifact.building import Choice, copy_instead
from tests.unit.artifact.package_server import WHEEL, Index, serving


@pytest.fixture(autouse=True)
def _no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, index or authority of the machine's reaches a test."""
    for name in ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(package_index, "_pip_configuration", dict)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    convert(tiny.write_folder(folder / "hf"), folder / "tiny.gguf")
    return folder / "tiny.gguf"


@pytest.fixture(scope="session")
def tiny_wheel(tiny_gguf: Path) -> Path:
    wheel = tiny_gguf.parent / WHEEL
    tiny.write_wheel(tiny_gguf, wheel)
    return wheel


@pytest.fixture
def base(tiny_gguf: Path, tiny_wheel: Path) -> Base:
    """The manifest's entry for the tiny base model."""
    return Base.model_validate(base_entry(tiny_gguf, tiny_wheel))


def base_entry(gguf_file: Path, wheel: Path) -> dict[str, object]:
    source = {"kind": "wheel", "project": "Tiny_Llama", "version": "0.1.0", "filename": WHEEL}
    return {
        "source": source | {"sha256": tiny.sha256(wheel)},
        "member": tiny.MEMBER,
        "sha256": tiny.sha256(gguf_file),
    }


@pytest.fixture
def index(tiny_wheel: Path) -> Iterator[Index]:
    served = Index(tiny_wheel.read_bytes(), tiny.sha256(tiny_wheel))
    with serving(served) as served.url:
        yield served


@pytest.fixture
def weights_dir(tmp_path: Path, tiny_gguf: Path, tiny_wheel: Path) -> Path:
    """A weights folder like the shipped one, of the tiny model, without an adapter."""
    folder = tmp_path / "weights"
    folder.mkdir()
    tiny.tokenizer().save(str(folder / "tokenizer.json"))
    manifest = {
        "name": "tiny",
        "version": "1.2.3",
        "base": base_entry(tiny_gguf, tiny_wheel),
        "adapter": None,
        "tokenizer": {
            "file": "tokenizer.json",
            "sha256": tiny.sha256(folder / "tokenizer.json"),
            "vocabulary_size": tiny.VOCABULARY,
            "end_id": tiny.END_ID,
        },
        "prompt_version": "v1",
        "context": {"prompt": 896, "output": 192},
        "scores": {"rouge_l": 0.5},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """The file of the authority that signed `tls_index`."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def tls_index(authority: trustme.CA, tiny_wheel: Path) -> Iterator[str]:
    """The URL of an index with a certificate of a company's own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(Index(tiny_wheel.read_bytes(), tiny.sha256(tiny_wheel)), context) as url:
        yield url


@pytest.fixture
def choice(weights_dir: Path, tmp_path: Path, tiny_gguf: Path) -> Choice:
    """The shipped tiny model, its base from a file so that most tests need no index."""
    return Choice(weights_dir, tmp_path / "cache", base=str(tiny_gguf))


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_ir, "export", copy_instead)
