"""pytest tests/unit/training/data/test_raw_dataset.py"""

from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from tests.unit.training.row_fixtures import line, write_rows
from training.config import REPOSITORY
from training.data.raw_dataset import read


def test_rows_are_cleaned_alike_so_that_a_quote_stays_one(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl",
        line(
            query="why\n  owls\u200b?",
            document="Owls  hunt\u00a0at night. <|im_end|>",
            summary="Owls  hunt\u00a0at night.",
        ),
        line("b", split="test", references=["One.", "Two  words."]),
    )
    first, second = read([path], seed=1, held_out=0.1)
    assert first.query == "why owls?"
    assert first.summary == "Owls hunt at night."
    assert first.summary in first.document
    assert "<|" not in first.document
    assert first.references == (first.summary,)
    assert second.references == ("One.", "Two words.")


def test_bad_rows_are_reported_by_line_and_field_without_text(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl",
        line("fine"),
        "{not json",
        line("b", query=3),
        line("c", split="dev"),
        {"id": "d"},
        line("e", document=" \u200b "),
        line("f", extra="secret"),
        line("fine"),
        line("g", summary="\ud800"),
        line("h", references=["Fine.", "\u200b"]),
    )
    with pytest.raises(ConfigurationError) as raised:
        read([path], seed=1, held_out=0.1)
    told = raised.value.detail.splitlines()
    assert told[0] == "9 of 10 rows cannot be used. Mend or remove them:"
    expected = [
        (2, "not JSON"),
        (3, "query: Input should be a valid string"),
        (4, "split: Input should be 'train', 'validation' or 'test'"),
        (5, "source: Field required; query: Field required"),
        (6, "document: The document is empty"),
        (7, "extra: Extra inputs"),
        (8, f"id: fine is the id of {path}:1 as well"),
        (9, "summary: Input should be a valid string, unable to parse raw data as a unicode string"),
        (10, "references.1: The reference is empty"),
    ]
    for text, (number, said) in zip(told[1:], expected, strict=True):
        assert text.startswith(f"{path}:{number}: ")
        assert said in text
    assert "secret" not in raised.value.detail


def test_only_the_first_bad_rows_are_listed(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", *["[]"] * 50)
    with pytest.raises(ConfigurationError, match=r"50 of 50 rows(?s:.*)and 30 more$"):
        read([path], seed=1, held_out=0.1)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read([tmp_path / "none.jsonl"], seed=1, held_out=0.1)
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read([binary], seed=1, held_out=0.1)
    with pytest.raises(ConfigurationError, match="There is no row"):
        read([write_rows(tmp_path / "empty.jsonl", "")], seed=1, held_out=0.1)


def test_rows_without_a_split_are_dealt_out_by_document() -> None:
    found = read([REPOSITORY / "tests/data/rows.jsonl"], seed=1, held_out=0.2)
    assert len(found) == 40
    splits = {split: {row.document for row in found if row.split == split} for split in ("train", "validation", "test")}
    assert all(splits.values())
    assert not splits["train"] & (splits["validation"] | splits["test"])
    again = read([REPOSITORY / "tests/data/rows.jsonl"], seed=2, held_out=0.2)
    assert [row.split for row in again] != [row.split for row in found]
