"""Lookahead decoding of the shipped student on real rows, through the stage."""

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tests.conftest import REPOSITORY
from training import config
from training.context import TrainingContext
from training.data.build_examples import FILES
from training.data.examples import Example, write_examples
from training.lookahead import sweep
from training.train.modeling import load_adapter


@pytest.mark.timeout(600)
def test_lookahead_equals_greedy_on_real_rows_and_saves_passes(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (REPOSITORY / "tests/data/rows.jsonl").read_text().splitlines()][:4]
    examples = [
        Example(row["id"], row["source"], row["query"], row["document"], row["summary"], 30, "positive", derived=False)
        for row in rows
    ]
    write_examples(tmp_path / FILES["test"], examples)
    options = {
        "work_dir": tmp_path,
        "lookahead": f"{{folder: {tmp_path / 'report'}, rows: 4, model_rows: 2, windows: [0, 4], ngrams: [6], "
        "verification_sets: [4]}",
    }
    chosen = config.load(
        REPOSITORY / "training/configs/smoke.yaml", [f"{name}={value}" for name, value in options.items()]
    )
    sweep.run(chosen, Console(quiet=True))

    text = (tmp_path / "report" / "lookahead.md").read_text()
    assert "replayed on 4 test rows; with one the model was run on 2 of these, and 0 of 2 outputs" in text
    numbers = json.loads((tmp_path / "report" / "lookahead.json").read_text())
    assert min(one["decoding"] for one in numbers["compression"] if one["group"] == "all") > 1.5

    (file,) = (tmp_path / "lookahead").glob("*.jsonl")
    before = file.read_text()
    greedy = {one["id"]: one["ids"] for one in map(json.loads, before.splitlines())}
    here = TrainingContext(chosen)
    model = load_adapter(here.base(), REPOSITORY / "model_repository/weights").merge_and_unload().eval()
    prompt = torch.tensor([here.encode(examples[0]).prompt])
    plain = model.generate(  # transformers' own decoding
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False, use_cache=True, eos_token_id=here.end_id,
        pad_token_id=here.end_id, max_new_tokens=len(greedy[examples[0].id]),
    )[0, prompt.shape[1] :]  # fmt: skip
    assert plain.tolist() == greedy[examples[0].id]

    sweep.run(chosen, Console(quiet=True))
    assert file.read_text() == before, "a finished sweep decodes nothing again"
