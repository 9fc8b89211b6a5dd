"""pytest tests/unit/training/data/test_deduplication.py"""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.errors import ConfigurationError
from tests.unit.training.row_fixtures import row
from training.data.deduplication import RUN, Leak, Runs, leaks, raise_for_leaks, without_duplicates

SEEN = [f"seen{i}" for i in range(40)]
TEST = [f"test{i}" for i in range(40)]
SHARED = [f"shared{i}" for i in range(RUN)]


def test_duplicates_ignore_case_and_punctuation() -> None:
    rows = [
        row("a"),
        row("b", query="Why do OWLS hunt, at night?", document="Owls hunt at night -- their eyes are large!"),
        row("c", query="what do owls eat"),
        row("d", split="validation"),
    ]
    kept, repeated = without_duplicates(rows)
    assert [one.id for one in kept] == ["a", "c", "d"]
    assert [one.id for one in repeated] == ["b"]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, RUN), st.booleans())
def test_thirteen_words_are_a_leak_and_twelve_are_none(at: int, there: int, length: int, shout: bool) -> None:
    planted = SHARED[:length]
    seen = " ".join([*SEEN[:at], *planted, *SEEN[at:]])
    test = ", ".join([*TEST[:there], *planted, *TEST[there:]])
    found = leaks([row("s", document=seen.upper() if shout else seen)], [row("t", document=test, split="test")], Runs())
    assert found == ([Leak("s", "t")] if length == RUN else [])


def test_short_documents_leak_as_a_whole() -> None:
    test = [row("t", document="Five words are not many.", split="test")]
    assert leaks([row("s", document="five words are NOT many")], test, Runs()) == [Leak("s", "t")]
    assert leaks([row("s", document="Five words are not many, but these are more.")], test, Runs()) == []


def test_a_hash_alone_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runs, "sequence", lambda self, document: np.zeros(3, dtype=np.uint64))
    seen, test = row("s", document=" ".join(SEEN)), row("t", document=" ".join(TEST), split="test")
    assert leaks([seen], [test], Runs()) == []


def test_a_leak_stops_the_run_and_names_both_sides() -> None:
    raise_for_leaks([])
    with pytest.raises(ConfigurationError) as raised:
        raise_for_leaks([Leak(f"s{i}", f"t{i}") for i in range(25)])
    assert "25 documents" in raised.value.detail
    assert "s0 (training or validation) and t0 (test)" in raised.value.detail
    assert raised.value.detail.endswith("and 5 more")


@pytest.mark.training
def test_eleven_thousand_documents_take_seconds() -> None:
    chance = np.random.default_rng(1)
    vocabulary = np.array([f"w{i}" for i in range(20_000)])
    texts = [" ".join(words) for words in vocabulary[chance.integers(20_000, size=(11_000, 200))]]
    texts[0] = " ".join([texts[0], *SHARED])
    texts[-1] = " ".join([*SHARED, texts[-1]])
    rows = [row(str(i), document=text, split="train" if i < 8_000 else "test") for i, text in enumerate(texts)]
    begin = time.process_time()
    found = leaks(rows[:8_000], rows[8_000:], Runs())
    assert found == [Leak("0", "10999")]
    assert time.process_time() - begin < 30  # a comparison of pairs would take hours
