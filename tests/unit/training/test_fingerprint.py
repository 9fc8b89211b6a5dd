"""The fingerprint of a stage: its outputs, its inputs and the code they depend on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from training import fingerprint

_IMPORTED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("training", "querygist")]))
"""


@pytest.mark.parametrize("stage", ["data.build_dataset", "generate.label", "preferences.build_pairs"])
def test_no_module_that_a_stage_imports_is_missed(stage: str) -> None:
    command = [sys.executable, "-c", _IMPORTED, f"training.{stage}"]
    imported = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert set(imported) <= fingerprint.source_files(f"training.{stage}").keys()


def test_imports_within_functions_count_and_other_stages_do_not() -> None:
    files = fingerprint.source_files("training.generate.resolve")
    assert "training.generate.transformers_generator" in files
    assert "training.train.dpo" not in files


def test_it_holds_for_the_same_inputs_and_whole_outputs(tmp_path: Path) -> None:
    path, output = tmp_path / "made.json", tmp_path / "output"
    output.write_text("made")
    assert not fingerprint.matches(path, {"a": "1"})
    fingerprint.write(path, {"a": "1"}, [output])
    assert fingerprint.matches(path, {"a": "1"})
    assert not fingerprint.matches(path, {"a": "2"})
    output.write_text("other")
    assert not fingerprint.matches(path, {"a": "1"})
