"""The manifest: what it accepts, what it refuses, and how it says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from querygist.artifact.manifest import AdapterEntry, Manifest
from querygist.errors import ArtifactError
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import WEIGHTS
from tests.unit.artifact import tiny


def change(weights_dir: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = weights_dir / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def test_the_shipped_manifest_is_the_shipped_model() -> None:
    manifest = Manifest.load(WEIGHTS)
    tokenizer = Tokenizer(WEIGHTS / manifest.tokenizer.file)
    assert tokenizer.vocabulary_size == manifest.tokenizer.vocabulary_size
    assert tokenizer.id_of("<|im_end|>") == manifest.tokenizer.end_id
    assert manifest.base.source.filename.startswith(f"{manifest.base.source.project.replace('-', '_')}-")


def test_the_identity_is_the_manifests(weights_dir: Path) -> None:
    manifest = Manifest.load(weights_dir)
    identity = manifest.identity("fp32")
    assert (identity.name, identity.version, identity.precision) == ("tiny", "1.2.3", "fp32")
    assert (identity.base_sha256, identity.adapter_sha256) == (manifest.base.sha256, None)
    assert identity.tokenizer_sha256 == tiny.sha256(weights_dir / "tokenizer.json")
    assert (identity.vocabulary_size, identity.end_id) == (tiny.VOCABULARY, tiny.END_ID)
    assert (identity.prompt_version, identity.prompt_limit, identity.output_limit) == ("v1", 896, 192)


def test_an_adapters_hash_is_part_of_the_identity(weights_dir: Path) -> None:
    tiny.write_adapter(weights_dir / "adapter.safetensors")
    sha256 = tiny.sha256(weights_dir / "adapter.safetensors")
    entry = {"file": "adapter.safetensors", "sha256": sha256, "rank": 4, "alpha": 8}
    change(weights_dir, lambda manifest: manifest.update(adapter=entry))
    assert Manifest.load(weights_dir).identity("int8").adapter_sha256 == sha256


def test_the_scale_is_alpha_over_rank_or_over_its_root() -> None:
    plain = AdapterEntry(file="a", sha256="0" * 64, rank=16, alpha=32)
    assert plain.scale == 2
    assert plain.model_copy(update={"rslora": True}).scale == 8


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m.pop("version"), "version"),
        (lambda m: m["base"].update(sha256="B" * 64), "base.sha256"),
        (lambda m: m["base"]["source"].update(kind="floppy"), "base.source.kind"),
        (lambda m: m["base"]["source"].update(filename="../x.whl"), "base.source.filename"),
        (lambda m: m["tokenizer"].update(file="/etc/passwd"), "tokenizer.file"),
        (lambda m: m["context"].update(prompt=0), "context.prompt"),
        (lambda m: m.update(adapter={"file": "a", "sha256": "0" * 64, "rank": 0, "alpha": 1}), "adapter.rank"),
    ],
)
def test_a_bad_field_is_named(weights_dir: Path, edit: Callable[[dict[str, Any]], object], where: str) -> None:
    change(weights_dir, edit)
    with pytest.raises(ArtifactError, match=f"is not a model manifest: wrong at {where}: "):
        Manifest.load(weights_dir)


def test_a_manifest_that_is_no_json_is_told(weights_dir: Path) -> None:
    (weights_dir / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(ArtifactError, match="wrong at the whole file"):
        Manifest.load(weights_dir)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"Cannot read the model manifest .*QUERYGIST_WEIGHTS_DIR"):
        Manifest.load(tmp_path)


def test_a_prompt_version_of_another_release_is_refused(weights_dir: Path) -> None:
    change(weights_dir, lambda manifest: manifest.update(prompt_version="v99"))
    with pytest.raises(ArtifactError, match=r"prompt version 'v99'; this release knows v1"):
        Manifest.load(weights_dir)


@pytest.mark.parametrize("name", ["tokenizer.json", "adapter.safetensors"])
def test_a_changed_or_missing_file_is_named_with_both_hashes(weights_dir: Path, name: str) -> None:
    tiny.write_adapter(weights_dir / "adapter.safetensors")
    expected = {one: tiny.sha256(weights_dir / one) for one in ("adapter.safetensors", "tokenizer.json")}
    entry = {"file": "adapter.safetensors", "sha256": expected["adapter.safetensors"], "rank": 4, "alpha": 8}
    change(weights_dir, lambda manifest: manifest.update(adapter=entry))
    Manifest.load(weights_dir)

    path = weights_dir / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ArtifactError, match=f"{name} is not .*expected sha256 {expected[name]}, found {tiny.sha256(path)}"
    ):
        Manifest.load(weights_dir)
    path.unlink()
    with pytest.raises(ArtifactError, match=f"Cannot read .*{name}.*No such file"):
        Manifest.load(weights_dir)
