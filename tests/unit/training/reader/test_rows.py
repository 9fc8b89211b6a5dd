"""Rows from JSONL files, gzipped or not."""

import gzip
import json
from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from training.reader.rows import read, validation_ids, without

ROW = {"id": "a", "source": "s", "query": "Why?", "document": "It is so.", "summary": "It is so.", "split": "train"}


def test_rows_of_both_kinds_of_file_are_read(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text(json.dumps({**ROW, "references": ["So.", "It is so."]}) + "\n")
    with gzip.open(packed, "wt") as file:
        file.write(json.dumps({**ROW, "id": "b", "summary": "", "answerable": False, "kind": "rated_bad"}))
    one, other = read([plain, packed])
    assert one.answers == ("It is so.", "So.")
    assert (other.answerable, other.answers) == (False, ())


def test_constructed_negatives_join_their_source(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**ROW, "source": "constructed_negatives"}))
    assert read([path])[0].source == "squadshifts_wiki"


def test_bad_row_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "query": ""}))
    with pytest.raises(ConfigurationError, match=r"a\.jsonl:2"):
        read([path])


def test_missing_file_says_which_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"reader\.files"):
        read([Path("nowhere.jsonl")])


def test_rows_of_a_held_out_document_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [ROW, {**ROW, "id": "b", "query": "How?"}, {**ROW, "id": "c", "document": "It is not."}]
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = read([path])
    assert [row.id for row in without(rows, rows[:1])] == ["c"]


def test_validation_file_without_its_keys_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('{"rows": []}')
    with pytest.raises(ConfigurationError, match="validation_file"):
        validation_ids(path)
