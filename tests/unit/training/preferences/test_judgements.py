"""pytest tests/unit/training/preferences/test_judgements.py"""

from pathlib import Path
from typing import Any

import pytest

from querygist.errors import ConfigurationError
from tests.unit.training.row_fixtures import write_rows
from training.config import PairRules
from training.preferences.judgements import clear_pairs, read


def judgement(id_: str = "a", **fields: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "query": "why do owls hunt",
        "document": "Owls hunt at night because mice are awake. Their eyes see in the dark.",
        "chosen": "Owls hunt at night because mice are awake.",
        "rejected": "Their eyes see in the dark.",
        "source": "made",
        "margin": 66.7,
    } | fields


def test_judgements_become_pairs_with_clean_texts(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "preference.jsonl", judgement(query="why\n owls\u200b?", chosen="Owls\u00a0 hunt. <|im_end|>"), ""
    )
    (pair,) = read([path], seed=1)
    assert (pair.id, pair.query, pair.chosen) == ("a", "why owls?", "Owls hunt. ‹|im_end|›")
    assert (pair.origin, pair.derived) == ("judged", False)
    assert pair.max_words in (5, 10)


def test_bad_rows_are_reported_by_line_and_field_without_text(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "preference.jsonl",
        judgement("fine"),
        "{not json",
        judgement("b", margin="much"),
        {"id": "c"},
        judgement("d", chosen=" \u200b "),
        judgement("e", extra="secret"),
        judgement("fine"),
        judgement("f", rejected="Owls  hunt at night because mice are awake."),
        judgement("g", margin=0.0),
        judgement("h", query="\u200b"),
        "[]",
    )
    with pytest.raises(ConfigurationError) as raised:
        read([path], seed=1)
    told = raised.value.detail.splitlines()
    assert told[0] == "10 of 11 rows cannot be used. Mend or remove them:"
    expected = [
        (2, "not JSON"),
        (3, "margin: Input should be a valid number"),
        (4, "query: Field required; document: Field required"),
        (5, "chosen: The chosen is empty"),
        (6, "extra: Extra inputs"),
        (7, f"id: fine is the id of {path}:1 as well"),
        (8, "rejected: it is the same as chosen"),
        (9, "margin: Input should be greater than 0"),
        (10, "query: The query is empty"),
        (11, "row: Input should be a valid dictionary"),
    ]
    for text, (number, said) in zip(told[1:], expected, strict=True):
        assert text.startswith(f"{path}:{number}: ")
        assert said in text
    assert "secret" not in raised.value.detail


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read([tmp_path / "none.jsonl"], seed=1)
    (tmp_path / "binary.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read([tmp_path / "binary.jsonl"], seed=1)
    with pytest.raises(ConfigurationError, match=r"50 of 50 rows(?s:.*)and 30 more$"):
        read([write_rows(tmp_path / "bad.jsonl", *["[]"] * 50)], seed=1)


def test_where_people_disagree_nobody_is_followed(tmp_path: Path) -> None:
    one = judgement()
    path = write_rows(
        tmp_path / "preference.jsonl",
        one,
        judgement("b", chosen=one["rejected"], rejected=one["chosen"]),
        judgement("c", query="another"),
        judgement("d", rejected="Their eyes."),
    )
    result = clear_pairs(read([path], seed=1), PairRules(max_length_ratio=2))
    assert [pair.id for pair in result.pairs] == ["c"]
    assert result.dropped == {"people disagree": 2, "lengths too far apart": 1}
