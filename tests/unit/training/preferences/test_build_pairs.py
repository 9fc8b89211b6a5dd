"""Pairs from judgements, clicks and samples."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from training.config import Config, DataConfig, PreferencesConfig
from training.data.examples import Example, Kind, write_examples
from training.generate.generator import GREEDY, Generated, Sampling
from training.preferences import build_pairs, pairs

DOCUMENT = (
    "The harbour was built in 1867 by the Danish engineer Jens Holm. It has two quays and a lighthouse. "
    "The old pier burned down in 1902 and was never built again."
)
ANSWER, OTHER = "The harbour was built in 1867 by the Danish engineer Jens Holm.", "It has two quays and a lighthouse."
WRONG = "The old pier burned down in 1902 and was never built again."


def example(id_: str, source: str = "a", kind: Kind = "positive") -> Example:
    return Example(id_, source, "Who built the harbour?", DOCUMENT, ANSWER, 20, kind, derived=False)


class Scripted:
    name = "scripted"
    asked = 0

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        for _ in examples:
            Scripted.asked += 1
            yield [Generated(text, answerable=bool(text)) for text in self._texts]

    def close(self) -> None:
        pass


def outcome(*texts: str, **changes: float) -> pairs.Pair | str:
    recipe = PreferencesConfig(**changes)  # type: ignore[arg-type]
    samples = [Generated(text, answerable=bool(text)) for text in texts]
    (found,) = build_pairs.ranked([(example("1"), samples)], recipe)
    return found


def test_nearest_sample_is_chosen_and_farthest_rejected() -> None:
    pair = outcome(WRONG, OTHER, f"{ANSWER} {OTHER}", ANSWER)
    assert isinstance(pair, pairs.Pair)
    assert (pair.chosen, pair.origin, pair.derived) == (ANSWER, "sampled", True)
    assert pair.rejected in (WRONG, OTHER)


def test_samples_that_teach_nothing_make_no_pair() -> None:
    assert outcome(ANSWER, ANSWER) == "fewer than two different samples"
    assert outcome(ANSWER, "") == "fewer than two different samples", "a refusal is no sample"
    assert outcome(WRONG, OTHER) == "not even the best is near the answer"
    assert outcome(ANSWER, f"{ANSWER} {OTHER}") == "best and worst too near"
    assert isinstance(outcome(ANSWER, f"{ANSWER} {OTHER}", min_rouge2_gap=5), pairs.Pair)


def test_the_stage_writes_pairs_of_every_origin_once(tmp_path: Path) -> None:
    judged = {"id": "j", "query": "who", "document": DOCUMENT, "chosen": ANSWER, "rejected": WRONG, "source": "s"}
    (tmp_path / "judged.jsonl").write_text(json.dumps(judged | {"margin": 1.0}) + "\n")
    write_examples(
        tmp_path / "train.jsonl", [example("1"), example("2", "abstract"), example("3", kind="hard"), example("4")]
    )
    config = Config(
        seed=1,
        work_dir=tmp_path,
        data=DataConfig(files=[tmp_path / "rows.jsonl"]),
        preferences=PreferencesConfig(
            judgements=[tmp_path / "judged.jsonl"], exclude_sources=["abstract"], max_prompts=9
        ),
    )
    Scripted.asked = 0
    console = Console(file=io.StringIO())
    for _ in "ab":
        build_pairs.run(config, console, lambda: Scripted([ANSWER, WRONG]), "scripted")
    assert Scripted.asked == 2, "positives of other sources, and the second run has nothing to do"
    found = pairs.read_pairs(tmp_path / "pairs.jsonl")
    assert [(pair.id, pair.origin, pair.derived) for pair in found] == [
        ("j", "judged", False),
        ("1-sampled", "sampled", True),
        ("4-sampled", "sampled", True),
    ]
    build_pairs.run(config, console, lambda: Scripted(["", ""]), "another student")
    counts = json.loads((tmp_path / "preferences.json").read_text())
    assert counts["sampled"] == {"pairs": 0, "dropped": {"fewer than two different samples": 2}}
