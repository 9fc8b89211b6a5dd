"""Which inputs the CPU model takes, and how."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.triton_backend.inputs import HONOURED, NEUTRAL, WITHOUT_EFFECT, InputError, wants_stop
from querygist.triton_server.repository import CPU_MODEL, load_config
from tests.unit.triton_backend.requests import LIMITS, LOUD, REFUSED, SERVER, ask, read, request


def test_every_input_of_the_configuration_is_in_one_class() -> None:
    declared = [one.name for one in load_config(CPU_MODEL).input]
    classes = [HONOURED, set(NEUTRAL), WITHOUT_EFFECT, REFUSED]
    assert sorted(name for names in classes for name in names) == sorted(declared)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_honoured_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} is not supported"):
        ask(**{name: 1})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LOUD.items() for value in values])
def test_inputs_beyond_greedy_decoding_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{name} is {value}"):
        ask(**{name: value})


def test_every_input_that_must_be_neutral_is_tried() -> None:
    assert set(LOUD) == set(NEUTRAL)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NEUTRAL.items() for value in values])
def test_what_asks_for_nothing_changes_nothing(name: str, value: Any) -> None:
    assert ask(**{name: value}) == ask()


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_what_means_nothing_to_greedy_decoding_changes_nothing(name: str) -> None:
    assert ask(**{name: 1}) == ask(**{name: 0}) == ask()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input_ids": np.zeros((1, 0), np.int32)}, "input_ids is empty"),
        ({"input_ids": np.zeros((1, 897), np.int32)}, r"Prompt length \(897\) exceeds maximum input length \(896\)"),
        ({"input_ids": np.asarray([[5, 1000]])}, "input_ids holds a token outside of the vocabulary .0 to 999."),
        ({"input_ids": np.asarray([[-1]])}, "input_ids holds a token outside of the vocabulary"),
        ({"request_output_len": 0}, "request_output_len is 0"),
        ({"request_output_len": -3}, "request_output_len is -3"),
        ({"end_id": 1000}, r"EndId \(1000\) is not within acceptable range \[-1, 1000\)"),
        ({"end_id": -2}, r"EndId \(-2\) is not within acceptable range"),
        ({"lookahead_window_size": 4}, "Failed to extract lookahead_ngram_size"),
        ({"stop_words_list": np.asarray([[[7, 8], [2, 1]]])}, "stop_words_list has the offset 1 after 2"),
    ],
)
def test_bad_values_are_refused_by_name(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        ask(**inputs)


@pytest.mark.parametrize("name", ["input_ids", "request_output_len"])
def test_what_is_needed_is_told(name: str) -> None:
    tensors = request()
    del tensors[name]
    with pytest.raises(InputError, match=f"^{name} is not present in the request"):
        read(tensors)


@given(st.integers(1, 896), st.integers(1, 10_000))
def test_the_output_is_cut_to_what_the_sequence_has_room_for(prompt: int, wanted: int) -> None:
    one = ask(input_ids=np.ones((1, prompt), np.int32), request_output_len=wanted)
    assert len(one.ids) == prompt
    assert one.decoding.max_new_tokens <= wanted
    room = LIMITS.sequence - prompt - SERVER.max_draft_len
    assert one.decoding.max_new_tokens == min(wanted, room)


def test_an_end_id_is_optional() -> None:
    assert ask().decoding.end_id is None
    assert ask(end_id=-1).decoding.end_id is None
    assert ask(end_id=2).decoding.end_id == 2


def test_lookahead_becomes_candidates_looked_up() -> None:
    def candidates(*numbers: int) -> int:
        names = ("lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size")
        return ask(**dict(zip(names, numbers, strict=False))).decoding.candidates

    assert candidates() == SERVER.ngram - 1 == 5
    assert candidates(2, 3, 2) == 2
    assert candidates(1, 1, 0) == 0, "plain decoding"


def test_the_prompt_is_left_out_by_the_request_or_by_the_server() -> None:
    for server in (False, True):
        [silent] = read(request(), exclude_input=server)
        assert silent.exclude_input is server
        for told in (False, True):
            [one] = read(request(exclude_input_in_output=told), exclude_input=server)
            assert one.exclude_input is told


@given(st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=9), min_size=2, max_size=8))
def test_rows_are_requests_cut_to_their_lengths(prompts: list[list[int]]) -> None:
    width = max(map(len, prompts))
    tensors = request(
        input_ids=np.asarray([row + [0] * (width - len(row)) for row in prompts]),
        input_lengths=np.asarray([len(row) for row in prompts]),
        request_output_len=np.arange(len(prompts)) + 1,
    )
    rows = read(tensors)
    assert [list(one.ids) for one in rows] == prompts
    assert [one.decoding.max_new_tokens for one in rows] == list(range(1, len(prompts) + 1))


def test_a_single_row_is_never_cut_to_its_length() -> None:
    assert ask(input_lengths=1).ids == (5, 6, 7)


def test_stop_is_a_wish_of_its_own() -> None:
    assert wants_stop({"stop": np.asarray([True])})
    assert not wants_stop({"stop": np.asarray([False])})
    assert not wants_stop({})
