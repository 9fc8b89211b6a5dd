"""pytest tests/unit/training/data/test_build_dataset.py"""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.pipeline.attribution import attribute
from querygist.prompting.templates import NO_ANSWER
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from tests.unit.training.row_fixtures import line, write_rows
from training.__main__ import main
from training.config import REPOSITORY, Config, load
from training.data import build_dataset, licences
from training.data.build_examples import ExampleBuilder, requested_words
from training.data.choice_validation import Frozen, FrozenRow
from training.data.examples import ranked, read_examples
from training.data.truncation import Truncator

pytestmark = pytest.mark.training

SMOKE = REPOSITORY / "training/configs/smoke.yaml"
WRITTEN = ("train.jsonl", "validation.jsonl", "test.jsonl", "negatives_test.jsonl")
ROWS = {row["id"]: row for row in map(json.loads, (REPOSITORY / "tests/data/rows.jsonl").read_text().splitlines())}


def config(folder: Path, *overrides: str) -> Config:
    return load(SMOKE, [f"work_dir={folder}", *overrides])


def run(chosen: Config) -> str:
    console = Console(width=500, file=io.StringIO())
    build_dataset.run(chosen, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    run(config(folder))
    return folder


def of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (folder / name).read_text().splitlines()]


def test_what_is_written_is_what_later_stages_expect(made: Path) -> None:
    fields = {"id", "source", "query", "document", "summary", "max_words", "kind", "derived"}
    for name in WRITTEN:
        for example in of(made, name):
            assert set(example) - {"references"} == fields
            assert ("references" in example) == (name == "test.jsonl")
            assert example["kind"] in ("positive", "hard", "unrelated")
            assert example["max_words"] in range(5, 121, 5)
            assert (example["summary"] == NO_ANSWER) == (example["kind"] != "positive")
    assert read_examples(made / "test.jsonl")[0].references
    ids = [example["id"] for name in WRITTEN for example in of(made, name)]
    assert len(set(ids)) == len(ids)


def test_two_of_five_training_rows_are_negatives(made: Path) -> None:
    kinds = [example["kind"] for example in of(made, "train.jsonl")]
    assert kinds.count("unrelated") == round(kinds.count("positive") * 0.4 / 0.6 / 2)
    assert 1 <= kinds.count("hard") <= kinds.count("unrelated")  # so few documents have few that are near
    assert kinds != sorted(kinds)


def test_answers_grow_and_the_test_is_left_as_people_wrote_it(made: Path) -> None:
    learned = [example for example in of(made, "train.jsonl") if example["kind"] == "positive"]
    assert any(example["derived"] for example in learned)
    for example in learned:
        original = ROWS[example["id"]]["summary"]
        assert (example["summary"] == original) != example["derived"]
        if example["derived"]:
            target = CleanDocument(example["summary"], source=example["summary"])
            assert attribute(original, target).copied >= 0.5
            assert example["summary"] in example["document"]
            assert len(example["summary"].split()) <= example["max_words"]
    for example in of(made, "test.jsonl"):
        assert not example["derived"]
        assert all(example[field] == ROWS[example["id"]][field] for field in ("query", "document", "summary"))
        assert example["references"] == [example["summary"]]


def test_rows_that_word_overlap_answers_can_be_fewer(made: Path, tmp_path: Path) -> None:
    run(config(tmp_path, "data.lexical_match_share=0"))
    quotes = [one for one in of(tmp_path, "train.jsonl") if one["summary"] in one["document"]]
    assert 0 < len(quotes) < sum(one["summary"] in one["document"] for one in of(made, "train.jsonl"))
    for example in quotes:
        begins = example["document"].index(example["summary"])
        ranking = ranked(example["document"], example["query"])
        best = ranking.units[ranking.order[0]]
        assert not best.start <= begins < best.end


def test_answers_in_own_words_can_be_left_out(made: Path, tmp_path: Path) -> None:
    run(config(tmp_path, "data.abstractive_share=0"))
    positives = [example for example in of(tmp_path, "train.jsonl") if example["kind"] == "positive"]
    assert positives
    assert all(example["summary"] in example["document"] for example in positives)
    assert any(
        example["summary"] not in example["document"]
        for example in of(made, "train.jsonl")
        if example["kind"] == "positive"
    )


def test_no_document_is_in_two_files(made: Path) -> None:
    documents = [{example["document"] for example in of(made, name)} for name in WRITTEN]
    assert not (documents[0] | documents[1]) & (documents[2] | documents[3])
    assert not documents[0] & documents[1]


def test_outputs_are_the_same_bytes_for_the_same_seed_only(made: Path, tmp_path: Path) -> None:
    names = (*WRITTEN, "data_card.md", "data_card.json", "data_card.png")
    run(config(tmp_path / "again"))
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes()
    run(config(tmp_path / "other", "seed=2"))
    assert (tmp_path / "other" / "train.jsonl").read_bytes() != (made / "train.jsonl").read_bytes()


def test_frozen_test_set_ignores_how_training_rows_are_made(made: Path, tmp_path: Path) -> None:
    run(config(tmp_path, "data.negative_share=0", "data.lexical_match_share=0.5", "data.max_prompt_tokens=200"))
    for name in ("test.jsonl", "negatives_test.jsonl"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
    assert {example["kind"] for example in of(tmp_path, "train.jsonl")} == {"positive"}


def test_a_second_run_has_nothing_to_do_until_something_changes(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", *ROWS.values())
    chosen = config(tmp_path / "state", f"data.files=[{rows}]")
    assert "already done" not in run(chosen)
    assert "already done" in run(chosen)
    assert "already done" not in run(config(tmp_path / "state", f"data.files=[{rows}]", "data.negative_share=0.2"))
    assert "already done" not in run(chosen)
    (tmp_path / "state" / "train.jsonl").write_text("damaged")
    assert "already done" not in run(chosen)
    write_rows(rows, *list(ROWS.values())[:-1])
    assert "already done" not in run(chosen)
    assert "already done" in run(chosen)


def test_the_card_tells_what_is_there_and_what_was_left_out(tmp_path: Path) -> None:
    extra = [
        line("refused", license="secret terms"),
        line("again"),
        line("again2", document=line("again")["document"]),
        line("wiki", source="wikiqa", split="validation"),
    ]
    rows = write_rows(tmp_path / "rows.jsonl", *ROWS.values(), *extra)
    run(config(tmp_path, f"data.files=[{rows}]", "data.sources={qed: {share: 0}, selqa: {min_words: 15}}"))
    card = json.loads((tmp_path / "data_card.json").read_text())
    dropped = {(one["source"], one["why"]): one["rows"] for one in card["dropped"]}
    assert dropped["made", "licence not on the allow-list: secret terms"] == 1
    assert dropped["made", "duplicate"] == 1
    assert dropped["wikiqa", "evaluation only"] == 1
    assert dropped["qed", "down-weighted to 0"] > 0
    assert dropped["selqa", "target under 15 words"] > 0
    train = card["files"]["train.jsonl"]
    examples = of(tmp_path, "train.jsonl")
    assert sum(train["kinds"].values()) == len(examples)
    for source, told in train["sources"].items():
        for kind, count in told["kinds"].items():
            assert count == sum(example["source"] == source and example["kind"] == kind for example in examples)
    assert train["sources"]["xquad_en"]["copied_bigrams"] == 1
    assert train["sources"]["pubmedqa"]["copied_bigrams"] < 0.6
    assert "qed" not in train["sources"]
    markdown = (tmp_path / "data_card.md").read_text()
    assert "| wikiqa | validation | 1 | evaluation only |" in markdown
    assert "| selqa | Apache-2.0 (Wikipedia CC BY-SA text) |" in markdown
    assert (tmp_path / "data_card.png").read_bytes().startswith(b"\x89PNG")


def test_a_leak_stops_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    stolen = next(iter(ROWS.values()))["document"]
    rows = write_rows(
        tmp_path / "rows.jsonl",
        *(row | {"split": "test"} for row in ROWS.values()),
        line("thief", document=f"By the way. {stolen}"),
    )
    with pytest.raises(ConfigurationError, match=rf"thief \(training or validation\) and {next(iter(ROWS))} \(test\)"):
        run(config(tmp_path / "state", f"data.files=[{rows}]"))
    assert not (tmp_path / "state").exists()


def test_rows_held_out_for_choices_are_not_learned_from(made: Path, tmp_path: Path) -> None:
    first, second = (one["id"] for one in of(made, "train.jsonl")[:2])
    rows = {first: FrozenRow(stratum="found", sha256="0")}
    digest = sha256(f"{first} 0\n".encode()).hexdigest()
    frozen = Frozen(rows=rows, excluded=[second], max_words={}, sha256=digest)
    (tmp_path / "frozen.json").write_text(frozen.model_dump_json())
    run(config(tmp_path, f"choices.frozen={tmp_path / 'frozen.json'}"))
    assert not {one["id"] for one in of(tmp_path, "train.jsonl")} & {first, second}


def test_nothing_left_to_train_on_is_an_error(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", line(license="?"), line("b", split="test"))
    with pytest.raises(ConfigurationError, match=r"No row is left for train\.jsonl"):
        run(config(tmp_path / "state", f"data.files=[{rows}]"))


def test_evaluation_only_rows_do_not_pass_the_last_gate_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer, identity: Identity
) -> None:
    monkeypatch.setattr(licences, "refusal", lambda row, extra_licenses=(): None)
    rows = write_rows(tmp_path / "rows.jsonl", line(source="cast_snippets"))
    truncator = Truncator(tokenizer, identity.prompt_version, 384, seed=1)
    with (
        Progress(disable=True) as progress,
        pytest.raises(ConfigurationError, match="cast_snippets are for"),
    ):
        ExampleBuilder(config(tmp_path, f"data.files=[{rows}]"), truncator, progress).build()


def test_requested_lengths_hold_the_answer_in_fives() -> None:
    asked = [requested_words("word " * 49, 1, str(i)) for i in range(300)]
    assert set(asked) == {50, 55}
    assert requested_words("word", 1, "r") == 5
    assert requested_words("word " * 500, 1, "r") == 120


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["training", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    return exited.value.code


def test_the_command_line(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, "data", "--config", str(SMOKE), "--set", f"work_dir={made}") == 0
    assert command(monkeypatch, "data", "--config", str(SMOKE), "--set", "data.files=[/none.jsonl]") == 1
    told = capsys.readouterr().err
    assert told.startswith("error: Cannot read the data file /none.jsonl: No such file or directory.")
    assert "Traceback" not in told
