"""pytest tests/unit/training/preferences/test_pairs.py"""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.errors import ConfigurationError
from training.config import PairRules
from training.preferences.pairs import (
    Pair,
    bigram_overlap,
    filter_pairs,
    objection,
    read_pairs,
    requested_words_of,
    write_pairs,
)

DOCUMENT = (
    "Owls hunt at night because mice are awake then. Their eyes see in 3 lux of light. In Finland, owls hunt by day in "
    "summer. " + "Their feathers make no sound at all when they fly. " * 12
)
RULES = PairRules()


def pair(
    chosen: str = "Owls hunt at night because mice are awake then.",
    rejected: str = "Their eyes see in 3 lux of light, feathers and all.",
) -> Pair:
    return Pair("a", "why do owls hunt at night", DOCUMENT, 20, chosen, rejected, origin="judged", derived=False)


def test_pairs_survive_the_file(tmp_path: Path) -> None:
    pairs = [pair(), replace(pair("Ö\u2028“x”\n\ny"), id="b", origin="sampled", derived=True)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs


@pytest.mark.parametrize("text", ["{not json", '{"id": "a"}', "[]", "\udcff"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match="not what the preferences stage writes"):
        read_pairs(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_pairs(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (pair(), None),
        (pair(rejected="Owls hunt at night because mice are awake."), "near-duplicates"),
        (pair(rejected="owls hunt at NIGHT, because mice are awake then"), "near-duplicates"),
        (pair(rejected="Their eyes see."), "lengths too far apart"),
        (
            pair(rejected="Their feathers make no sound at all when they fly. They see in 3 lux."),
            "lengths too far apart",
        ),
        (pair("Birds of the darkness catch their prey late."), "chosen copies too little"),
        (pair("Owls hunt at night because mice are awake at 4."), "chosen has invented numbers or names"),
        (pair("Owls hunt at night because mice are Swedish then."), "chosen has invented numbers or names"),
        (
            pair(DOCUMENT.strip(), f"Once more: {DOCUMENT[:300]} " + "and so on and on " * 20),
            "chosen longer than may be asked for",
        ),
    ],
)
def test_a_pair_that_teaches_something_else_is_dropped(made: Pair, reason: str | None) -> None:
    assert objection(made, RULES) == reason


def test_the_unfaithful_side_may_lose_but_not_win() -> None:
    clickbait = "You will not believe what 9 owls from Texas did!"
    faithful = pair().chosen
    assert objection(pair(faithful, clickbait), RULES) is None
    assert objection(pair(clickbait, faithful), RULES) == "chosen copies too little"


def test_what_is_dropped_is_counted_by_the_first_reason() -> None:
    clone, short = pair(rejected=pair().chosen), pair(rejected="Their eyes see.")
    result = filter_pairs([clone, pair(), short, clone], RULES)
    assert result.pairs == [pair()]
    assert result.dropped == {"near-duplicates": 2, "lengths too far apart": 1}


def test_the_rules_are_the_configs() -> None:
    loose = PairRules(max_bigram_overlap=1, max_length_ratio=9, min_copied=0)
    assert objection(pair(rejected=pair().chosen), loose) is None
    assert objection(pair(rejected="Their eyes see."), loose) is None
    assert objection(pair("Nobody knows."), loose) is None


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=8).map(" ".join)


@given(WORDS, WORDS)
def test_likeness_is_a_share_and_the_same_from_both_sides(one: str, other: str) -> None:
    assert 0 <= bigram_overlap(one, other) == bigram_overlap(other, one) <= 1
    assert bigram_overlap(one, one.upper() + "!") == 1
    assert (bigram_overlap(one, other) == 1) >= (one == other)
    assert bigram_overlap(one, "x y") == 0


def test_likeness_by_hand() -> None:
    assert bigram_overlap("one", "two") == 0
    assert bigram_overlap("owls hunt mice", "owls hunt rats") == 2 * 2 / 8  # ^owls, owls hunt; of four each
    assert bigram_overlap("a a a", "a") == 2 * 2 / 6


@given(WORDS, WORDS, st.integers(0, 99))
def test_both_sides_obey_the_length_that_is_asked_for(one: str, other: str, seed: int) -> None:
    words = requested_words_of(one, other, seed, "a")
    assert words >= max(len(one.split()), len(other.split()))
    assert words == requested_words_of(other, one, seed, "a")
