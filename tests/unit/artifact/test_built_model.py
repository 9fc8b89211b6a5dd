"""The build on a tiny model: right, once, whole or not at all.

Tests of what is computed use the real OpenVINO; tests of files and processes put a copy in the place of its conversion.
"""

import io
import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from querygist.artifact import built_model, openvino_ir
from querygist.artifact.fingerprint import StoredFile
from querygist.errors import ArtifactError
from querygist.settings import Settings
from tests.unit.artifact import reference, tiny
from tests.unit.artifact.building import PROMPT, add_adapter, copy_instead, engine_greedy, replace
from tests.unit.artifact.test_manifest import change


def verify(built: built_model.BuiltModel) -> None:
    assert {name: StoredFile.of(built.path / name) for name in built.fingerprint.files} == built.fingerprint.files


def test_the_engine_computes_the_model_that_was_shipped(choice: Settings) -> None:
    """Hugging Face weights -> GGUF -> merge -> IR -> engine gives what plain arithmetic on the weights gives."""
    base_alone = reference.greedy(tiny.weights(seed=0), PROMPT, 12)
    assert engine_greedy(built_model.build(choice), PROMPT, 12) == base_alone
    merged = reference.greedy(add_adapter(choice.weights_dir), PROMPT, 12)
    assert merged != base_alone
    assert engine_greedy(built_model.build(choice), PROMPT, 12) == merged


@pytest.mark.usefixtures("no_openvino")
def test_a_build_is_made_once_and_adopted_afterwards(choice: Settings) -> None:
    said: list[str] = []
    first = built_model.build(choice, said.append)
    assert said[0] == "base model tiny"
    assert {path.name for path in first.path.iterdir()} == {*openvino_ir.FILES, "tokenizer.json", "built.json"}
    said.clear()
    assert built_model.build(choice, said.append) == first
    assert said == []
    verify(first)


@pytest.mark.usefixtures("no_openvino")
def test_the_identity_is_the_manifests_of_today(choice: Settings) -> None:
    first = built_model.build(choice)
    assert (first.identity.name, first.identity.version, first.identity.precision) == ("tiny", "1.2.3", "fp32")
    change(choice.weights_dir, lambda manifest: manifest.update(version="1.2.4"))
    second = built_model.build(choice)
    assert second.path == first.path
    assert second.identity.version == "1.2.4"


@pytest.mark.usefixtures("no_openvino")
def test_every_ingredient_has_its_own_build(choice: Settings) -> None:
    built = [built_model.build(choice), built_model.build(replace(choice, precision="int8"))]
    add_adapter(choice.weights_dir)
    built.append(built_model.build(choice))
    change(choice.weights_dir, lambda manifest: manifest["adapter"].update(alpha=16))
    built.append(built_model.build(choice))
    assert len({one.path for one in built}) == 4
    assert len({one.fingerprint.files["openvino_model.bin"].sha256 for one in built}) == 4


@pytest.mark.usefixtures("no_openvino")
@pytest.mark.parametrize("name", [*openvino_ir.FILES, "tokenizer.json", "built.json"])
def test_a_build_with_a_cut_or_missing_file_is_made_again(choice: Settings, name: str) -> None:
    first = built_model.build(choice)
    path = first.path / name
    path.write_bytes(path.read_bytes()[:-1])
    second = built_model.build(choice)
    assert second.fingerprint.files == first.fingerprint.files
    verify(second)
    path.unlink()
    verify(built_model.build(choice))


@pytest.mark.usefixtures("no_openvino")
@pytest.mark.parametrize("name", [*openvino_ir.FILES, "tokenizer.json"])
def test_a_build_with_a_flipped_bit_is_made_again(choice: Settings, name: str, logged: io.StringIO) -> None:
    first = built_model.build(choice)
    flip(first.path / name)
    assert built_model.info(choice)["built"] is None
    verify(built_model.build(choice))
    assert logged.getvalue().count('"event": "model_damaged"') == 1
    assert built_model.build(choice) == built_model.build(choice)
    assert logged.getvalue().count('"event": "model_damaged"') == 1


@pytest.mark.usefixtures("no_openvino")
def test_a_damaged_build_without_its_parts_is_told(choice: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching = replace(choice, base=None)
    built = built_model.build(fetching)
    flip(built.path / "openvino_model.bin")
    shutil.rmtree(choice.cache_dir / "base")  # as in the image
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(ArtifactError, match=rf"^{built.path} is damaged: .*download"):
        built_model.build(fetching)


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _build_in_process(choice: Settings, done: "multiprocessing.Queue[tuple[list[str], str]]") -> None:
    openvino_ir.export = copy_instead
    said: list[str] = []
    built = built_model.build(choice, said.append)
    done.put((said, str(built.path)))


def test_two_processes_build_once(choice: Settings) -> None:
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


def test_a_killed_build_leaves_nothing_that_looks_finished(choice: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child kills itself where the most is on disk: all files written, the fingerprint and the name not yet."""
    program = f"""
        import os, signal
        from pathlib import Path
        from querygist.artifact import built_model, openvino_ir
        from tests.unit.artifact.building import chosen, copy_instead
        openvino_ir.export = copy_instead
        built_model._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        weights_dir, cache_dir = Path({str(choice.weights_dir)!r}), Path({str(choice.cache_dir)!r})
        built_model.build(chosen(weights_dir, cache_dir, base={choice.base!r}))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert killed.returncode == -signal.SIGKILL
    [left] = [path for path in (choice.cache_dir / "built").iterdir() if path.is_dir()]
    assert (left / "openvino_model.bin").stat().st_size > 0
    assert built_model.info(choice)["built"] is None

    monkeypatch.setattr(openvino_ir, "export", copy_instead)
    built = built_model.build(choice)
    verify(built)
    assert [path for path in (choice.cache_dir / "built").iterdir() if path.is_dir()] == [built.path]


@pytest.mark.usefixtures("no_openvino")
def test_a_failed_build_leaves_nothing(choice: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(built_model, "_publish", full)
    with pytest.raises(ArtifactError, match=r"No space left on device.*QUERYGIST_CACHE_DIR"):
        built_model.build(choice)
    assert [path.name for path in (choice.cache_dir / "built").iterdir()] == [".lock"]


@pytest.mark.usefixtures("no_openvino")
def test_the_base_comes_from_the_index_when_no_other_is_named(
    choice: Settings,
) -> None:
    from_file = built_model.build(choice)
    fetching = replace(choice, base=None)
    fetched = built_model.fetch_base(fetching)
    assert tiny.sha256(fetched) == from_file.identity.base_sha256
    assert built_model.build(fetching) == from_file  # the same bytes are the same model, wherever they came from


def test_a_tokenizer_of_another_size_than_the_manifests_is_told(choice: Settings) -> None:
    change(choice.weights_dir, lambda manifest: manifest["tokenizer"].update(vocabulary_size=300))
    with pytest.raises(ArtifactError, match=f"has {tiny.VOCABULARY} ids; the model manifest says 300"):
        built_model.build(choice)


def test_openvinos_refusal_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"broken\.gguf cannot be converted to OpenVINO's format: \w+"):
        openvino_ir.export(tmp_path / "broken.gguf")


@pytest.mark.usefixtures("no_openvino")
def test_info_tells_what_would_be_served_and_whether_it_is_built(choice: Settings) -> None:
    before = built_model.info(choice)
    assert before["built"] is None
    assert not (choice.cache_dir / "built").exists()
    built = built_model.build(choice)
    after = json.loads(json.dumps(built_model.info(choice)))
    assert after.pop("built") == {
        "path": str(built.path),
        "content_hash": built.fingerprint.content_hash,
        "built_at": built.fingerprint.built_at.isoformat(timespec="seconds"),
        "bytes": sum((built.path / name).stat().st_size for name in built.fingerprint.files),
    }
    assert after == {
        "name": "tiny",
        "version": "1.2.3",
        "base_sha256": built.identity.base_sha256,
        "adapter_sha256": None,
        "tokenizer_sha256": built.identity.tokenizer_sha256,
        "reader": None,
        "prompt_version": "v1",
        "context": {"prompt": 896, "output": 192},
        "scores": {"rouge_l": 0.5},
        "precision": "fp32",
    }
