"""pytest tests/unit/training/data/test_licences.py"""

import pytest

from tests.unit.training.row_fixtures import row
from training.data.licences import EVALUATION_ONLY, allowed, licence_of, refusal


@pytest.mark.parametrize("licence", ["MIT", "mit ", "CC BY-SA  4.0", "Apache-2.0 (Wikipedia CC BY-SA text)"])
def test_open_licences_may_be_trained_on(licence: str) -> None:
    assert refusal(row(license_=licence)) is None


@pytest.mark.parametrize("licence", ["MIT, non-commercial", "CC BY-NC 4.0", "none stated", "all rights reserved"])
def test_what_is_not_on_the_list_is_refused_whole_fields_count(licence: str) -> None:
    assert refusal(row(license_=licence)) == f"licence not on the allow-list: {licence}"
    assert refusal(row(license_=licence), [licence.upper()]) is None
    assert refusal(row(license_=licence, split="test")) is None


@pytest.mark.parametrize("absent", [None, ""])
def test_a_row_without_the_field_has_its_sources_licence(absent: str | None) -> None:
    assert licence_of(row(source="qed", license_=absent)) == "CC BY-SA 3.0"
    assert refusal(row(source="qed", license_=absent)) is None
    assert refusal(row(source="unheard of", license_=absent)) == "no licence stated"


@pytest.mark.parametrize("source", sorted(EVALUATION_ONLY))
def test_no_licence_makes_an_evaluation_source_trainable(source: str) -> None:
    assert refusal(row(source=source, license_="MIT"), ["MIT"]) == "evaluation only"
    assert refusal(row(source=source, license_="MIT", split="validation")) == "evaluation only"
    assert refusal(row(source=source, license_=None, split="test")) is None


def test_refused_rows_are_counted() -> None:
    rows = [row("a"), row("b", license_="?"), row("c", license_="?"), row("d", source="wikiqa")]
    found = allowed(rows)
    assert found.rows == rows[:1]
    assert found.dropped == {
        ("made", "train", "licence not on the allow-list: ?"): 2,
        ("wikiqa", "train", "evaluation only"): 1,
    }
