"""The lookahead configuration (W, N, G)."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from querygist.engines.lookahead import Lookahead

WINDOW, NGRAM, VERIFICATION_SET = Lookahead.INPUTS


def legal(window: int = 12, ngram: int = 12, verification_set: int = 12) -> st.SearchStrategy[Lookahead]:
    """Legal configurations up to these sizes."""
    plain = st.just(Lookahead(1, 1, 0))
    if ngram == 1:
        return plain
    return plain | st.builds(Lookahead, st.integers(1, window), st.integers(2, ngram), st.integers(0, verification_set))


def given_inputs(one: Lookahead) -> dict[str, int]:
    return {WINDOW: one.window, NGRAM: one.ngram, VERIFICATION_SET: one.verification_set}


@pytest.mark.parametrize(("numbers", "drafts"), [((4, 6, 4), 39), ((7, 7, 7), 83), ((1, 1, 0), 0), ((1, 2, 0), 0)])
def test_drafts_of_known_configurations(numbers: tuple[int, int, int], drafts: int) -> None:
    assert Lookahead(*numbers).max_draft_len == drafts


@given(legal())
def test_drafts_are_window_and_candidates_less_a_known_token(one: Lookahead) -> None:
    """Lookahead decoding (arXiv 2402.02057): N-1 levels of W tokens, the first of them known; G n-grams after it."""
    window = {(level, column) for level in range(one.ngram - 1) for column in range(one.window)} - {(0, 0)}
    candidates = {(number, place) for number in range(one.verification_set) for place in range(one.ngram - 1)}
    assert one.max_draft_len == len(window) + len(candidates)


@given(st.integers(-2, 4), st.integers(-2, 4), st.integers(-2, 4))
def test_only_legal_numbers_are_taken(window: int, ngram: int, verification_set: int) -> None:
    plain = (window, ngram, verification_set) == (1, 1, 0)
    if plain or (window >= 1 and ngram >= 2 and verification_set >= 0):
        Lookahead(window, ngram, verification_set)
    else:
        told = f"{WINDOW} {window}, {NGRAM} {ngram}, {VERIFICATION_SET} {verification_set} is not legal"
        with pytest.raises(ValueError, match=told):
            Lookahead(window, ngram, verification_set)


@given(legal(), st.data())
def test_a_request_may_ask_for_as_much_as_the_server_has(server: Lookahead, data: st.DataObject) -> None:
    asked = data.draw(legal(server.window, server.ngram, server.verification_set))
    chosen = server.for_request(given_inputs(asked))
    assert chosen == asked
    assert chosen.max_draft_len <= server.max_draft_len, "the engine has room for no more"
    assert chosen.candidates <= server.candidates


@given(legal(), legal())
def test_a_request_that_asks_for_more_is_refused(server: Lookahead, asked: Lookahead) -> None:
    over = [name for name, value in given_inputs(asked).items() if value > given_inputs(server)[name]]
    assume(over)
    with pytest.raises(ValueError, match="exceeds what the server was started with") as caught:
        server.for_request(given_inputs(asked))
    assert all(f"{name} {given_inputs(asked)[name]}" in str(caught.value) for name in over)


@pytest.mark.parametrize(("missing", "named"), [({NGRAM}, NGRAM), ({VERIFICATION_SET}, VERIFICATION_SET)])
def test_a_window_without_the_others_is_refused(missing: set[str], named: str) -> None:
    server = Lookahead(4, 6, 4)
    inputs = {name: value for name, value in given_inputs(server).items() if name not in missing}
    with pytest.raises(ValueError, match=f"^Failed to extract {named}$"):
        server.for_request(inputs)


def test_a_window_alone_is_told_the_first_that_is_missing() -> None:
    with pytest.raises(ValueError, match=r"^Failed to extract lookahead_ngram_size$"):
        Lookahead(4, 6, 4).for_request({WINDOW: 4})


@given(st.dictionaries(st.sampled_from([NGRAM, VERIFICATION_SET]), st.integers()))
def test_without_a_window_the_others_are_ignored(inputs: dict[str, int]) -> None:
    server = Lookahead(4, 6, 4)
    assert server.for_request(inputs) is server
