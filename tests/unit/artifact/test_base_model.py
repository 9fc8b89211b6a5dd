"""Other base models: a GGUF, a Hugging Face folder, a hub id."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from querygist.artifact import built_model, hugging_face
from querygist.artifact.resolved_model import resolve
from querygist.errors import ArtifactError
from querygist.settings import Settings
from tests.unit.artifact import reference, tiny
from tests.unit.artifact.building import PROMPT, add_adapter, engine_greedy, replace


def test_another_gguf_serves_without_the_adapter(choice: Settings, tmp_path: Path) -> None:
    add_adapter(choice.weights_dir)
    tiny.write_gguf(tmp_path / "other.gguf", seed=9)
    built = built_model.build(replace(choice, base=str(tmp_path / "other.gguf")))
    sha256 = tiny.sha256(tmp_path / "other.gguf")
    assert (built.identity.name, built.identity.version) == ("other", sha256[:12])
    assert (built.identity.base_sha256, built.identity.adapter_sha256) == (sha256, None)
    assert built.identity.tokenizer_sha256 == tiny.sha256(built.tokenizer_path)
    assert (built.identity.vocabulary_size, built.identity.end_id) == (tiny.VOCABULARY, tiny.END_ID)
    assert engine_greedy(built, PROMPT, 12) == reference.greedy(tiny.weights(seed=9), PROMPT, 12)


def test_other_weights_in_a_folder_are_another_model(choice: Settings, tmp_path: Path) -> None:
    at_folder = replace(choice, base=str(tiny.write_folder(tmp_path / "tuned", seed=5)))
    before = resolve(at_folder)
    tiny.write_folder(tmp_path / "tuned", seed=6)
    assert resolve(at_folder).folder != before.folder


def test_a_missing_exporter_names_the_extra(choice: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugging_face, "find_spec", lambda name: None if name == "nncf" else name)
    folder = tiny.write_folder(tmp_path / "tuned")
    with pytest.raises(ArtifactError, match=r"needs nncf: pip install 'querygist\[export\]'"):
        built_model.build(replace(choice, base=str(folder), precision="int8"))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_missing_from_a_folder_is_named(choice: Settings, tmp_path: Path, name: str) -> None:
    folder = tiny.write_folder(tmp_path / "tuned")
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"has no {name}"):
        resolve(replace(choice, base=str(folder)))


def test_a_missing_shard_is_named(choice: Settings, tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path / "tuned")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match=r"has no model-2\.safetensors"):
        resolve(replace(choice, base=str(folder)))


@pytest.mark.parametrize("base", ["/nowhere/model", "no-such-folder", "./a/b", "absent.gguf"])
def test_a_base_that_leads_nowhere_is_told(choice: Settings, base: str) -> None:
    with pytest.raises(ArtifactError, match="QUERYGIST_BASE"):
        built_model.build(replace(choice, base=base))


def test_a_file_that_is_no_gguf_is_told(choice: Settings, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ArtifactError, match=r"broken\.gguf cannot be read as GGUF"):
        built_model.build(replace(choice, base=str(tmp_path / "broken.gguf")))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_position_embeddings": 512}, "reads 512 tokens at most, and the model manifest's context needs 1088"),
        ({"vocab_size": 100}, f"knows 100 token ids, and its tokenizer makes {tiny.VOCABULARY}"),
        ({"vocab_size": None}, r"config\.json is not a language model.* wrong at vocab_size"),
    ],
)
def test_a_folder_that_does_not_fit_is_told(
    choice: Settings, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    folder = tiny.write_folder(tmp_path / "unfit", **config)
    with pytest.raises(ArtifactError, match=message):
        built_model.build(replace(choice, base=str(folder)))


def test_a_hub_out_of_reach_is_told(tmp_path: Path, choice: Settings) -> None:
    """In a process of its own: huggingface_hub reads its settings once, at import."""
    program = f"""
        from pathlib import Path
        from querygist.errors import ArtifactError
        from querygist.artifact import built_model
        from tests.unit.artifact.building import chosen
        try:
            weights_dir, cache_dir = Path({str(choice.weights_dir)!r}), Path({str(tmp_path)!r})
            built_model.build(chosen(weights_dir, cache_dir, base="some-org/some-model"))
        except ArtifactError as error:
            print(error.detail)
    """
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.startswith("QUERYGIST_BASE: some-org/some-model cannot be downloaded from the model hub: ")
    assert "HF_ENDPOINT" in asked.stdout


def test_info_does_not_download(choice: Settings) -> None:
    with pytest.raises(ArtifactError, match="some-org/some-model has not been downloaded yet"):
        built_model.info(replace(choice, base="some-org/some-model"))
