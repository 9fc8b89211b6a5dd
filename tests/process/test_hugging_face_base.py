"""Another base model from a Hugging Face folder, through transformers' exporter: 25 s of CPU time."""

import importlib.util
from pathlib import Path

import pytest

from querygist.artifact import build
from tests.conftest import missing
from tests.process.egress import Watch
from tests.unit.artifact import reference, tiny
from tests.unit.artifact.building import PROMPT, chosen, engine_greedy, replace
from tests.unit.artifact.conftest import tiny_gguf, tiny_wheel, weights_dir  # noqa: F401  fixtures


@pytest.mark.timeout(600)
def test_an_exported_folder_answers_as_its_weights_do(
    weights_dir: Path,  # noqa: F811
    tmp_path: Path,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name in ("PYTHONPATH", "EGRESS_LOG"):  # for the process that exports
        monkeypatch.setenv(name, watch.environment[name])
    absent = [name for name in ("torch", "transformers", "nncf") if importlib.util.find_spec(name) is None]
    if absent:
        missing(f"{', '.join(absent)} not installed: pip install 'querygist[export]'")
    folder = tiny.write_folder(tmp_path / "tuned", seed=5, eos_token_id=[0, 2])
    built = build(replace(chosen(weights_dir, tmp_path / "cache"), base=str(folder), precision="int8"))
    assert watch.attempts() == []
    assert (built.identity.name, built.identity.end_id) == ("tuned", 2)
    assert (built.identity.adapter_sha256, built.identity.vocabulary_size) == (None, tiny.VOCABULARY)
    assert built.tokenizer_path.read_bytes() == (folder / "tokenizer.json").read_bytes()
    numbers = sum(values.size for values in tiny.weights(seed=5).values())
    assert round((built.path / "openvino_model.bin").stat().st_size / numbers) == 1, "bytes a weight"
    assert engine_greedy(built, PROMPT, 12) == reference.greedy(tiny.weights(seed=5), PROMPT, 12)
