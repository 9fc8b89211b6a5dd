"""Lengths and S from what a student wrote."""

import json
from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from querygist.evaluation.rows import rows
from querygist.sizing.workload import LOOKAHEAD, Workload
from training.data.examples import Example, write_examples
from training.lookahead.workload_from_outputs import PROMPT_NGRAMS, build

WEIGHTS = Path(__file__).parents[4] / "model_repository" / "weights"


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    write_examples(
        path,
        (
            Example(f"row-{number}", "built-in", row["query"], row["document"], "s", 30, "positive", derived=False)
            for number, row in enumerate(rows(limit=6))
        ),
    )
    return path


def written(path: Path, texts: list[str]) -> Path:
    """The evaluation's file; an empty text is a refusal."""
    lines = [
        {"id": f"row-{number}", "text": text, "answerable": bool(text), "tokens": 9, "passes": None, "seconds": None}
        for number, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def compressions(made: Workload) -> tuple[float, float]:
    return made.by_name[LOOKAHEAD].compression, made.by_name[PROMPT_NGRAMS].compression


def test_quoting_outputs_compress_and_own_words_do_not(tmp_path: Path, examples: Path) -> None:
    quotes = [row["document"][:300] for row in rows(limit=6)]
    quoting = build(WEIGHTS, [examples], written(tmp_path / "quotes.jsonl", quotes))
    own = build(WEIGHTS, [examples], written(tmp_path / "own.jsonl", ["zq xv jk wq vz kx qj zw"] * 6))
    assert min(compressions(quoting)) > 3
    assert max(compressions(own)) < 2
    assert len(quoting.requests) == len(own.requests) == 6
    assert [prompt for prompt, _ in quoting.requests] == [prompt for prompt, _ in own.requests]
    assert quoting.mean_output > own.mean_output


def test_more_candidates_never_give_less(tmp_path: Path, examples: Path) -> None:
    middles = [row["document"][150:400] for row in rows(limit=6)]
    four, one = compressions(build(WEIGHTS, [examples], written(tmp_path / "out.jsonl", middles)))
    assert four >= one


def test_a_refusal_counts_as_what_the_model_writes(tmp_path: Path, examples: Path) -> None:
    made = build(WEIGHTS, [examples], written(tmp_path / "out.jsonl", ["", "word"]))
    assert len(made.requests) == 2
    assert made.requests[0][1] > made.requests[1][1]  # the fixed sentence is longer than one word


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, examples: Path) -> None:
    strange = tmp_path / "strange.jsonl"
    strange.write_text('{"id": "other", "text": "t", "answerable": true}\n')
    with pytest.raises(ConfigurationError, match="they do not belong together"):
        build(WEIGHTS, [examples], strange)
    with pytest.raises(ConfigurationError, match=r"none\.jsonl: No such file"):
        build(WEIGHTS, [examples], tmp_path / "none.jsonl")
    strange.write_text('{"text": "t"}\n')
    with pytest.raises(ConfigurationError, match="is not a file of outputs"):
        build(WEIGHTS, [examples], strange)
