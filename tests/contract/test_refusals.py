"""What the CPU model cannot honour it refuses by name, over gRPC."""

from typing import Any

import numpy as np
import pytest
from tritonclient.grpc.model_config_pb2 import DataType

from tests.contract.calls import DECLARED, Raw, Refused
from tests.unit.triton_backend.requests import LOUD, REFUSED


def value_of(name: str) -> Any:
    """Something that fits the input's declared type and dimensions, one row."""
    declared = DECLARED[name]
    if declared.data_type == DataType.TYPE_STRING:
        return "json"
    return np.ones([1, *(2 if size == -1 else size for size in declared.dims)])


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_inputs_of_what_it_does_not_have(raw: Raw, name: str) -> None:
    with pytest.raises(Refused, match=f"^{name} is not supported"):
        await raw.ask([5, 6], **{name: value_of(name)})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LOUD.items() for value in values])
async def test_values_that_ask_for_more_than_greedy_tokens(raw: Raw, name: str, value: Any) -> None:
    with pytest.raises(Refused, match=f"^{name} is "):
        await raw.ask([5, 6], **{name: value})


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"request_output_len": 0}, "request_output_len is 0"),
        ({"end_id": 49152}, r"EndId \(49152\) is not within acceptable range"),
        ({"lookahead_window_size": 4}, "Failed to extract lookahead_ngram_size"),
        ({"lookahead_window_size": 4, "lookahead_ngram_size": 6}, "Failed to extract lookahead_verification_set_size"),
        (
            {"lookahead_window_size": 5, "lookahead_ngram_size": 6, "lookahead_verification_set_size": 4},
            "lookahead_window_size 5, .* exceeds what the server was started with",
        ),
        (
            {"lookahead_window_size": 2, "lookahead_ngram_size": 1, "lookahead_verification_set_size": 0},
            "The lookahead configuration lookahead_window_size 2, .* is not legal",
        ),
        ({"stop_words_list": np.asarray([[[7, 8], [2, 1]]])}, "stop_words_list has the offset 1 after 2"),
        ({"request_output_len": None}, "request_output_len is not present"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_bad_values(raw: Raw, inputs: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=f"^{told}"):
        await raw.ask([5, 6], **inputs)


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([5] * 897, r"Prompt length \(897\) exceeds maximum input length \(896\)"),
        ([5, 49152], "input_ids holds a token outside of the vocabulary"),
        (np.zeros((1, 0)), "input_ids is empty"),
        (None, "input_ids is not present"),
    ],
    ids=["long", "unknown", "empty", "missing"],
)
async def test_bad_prompts(raw: Raw, ids: Any, told: str) -> None:
    with pytest.raises(Refused, match=f"^{told}"):
        await raw.ask(ids, input_lengths=1)


async def test_one_bad_row_refuses_the_request_and_harms_no_other(raw: Raw) -> None:
    with pytest.raises(Refused, match=r"^input_ids holds a token outside"):
        await raw.ask(
            np.asarray([[5, 6], [5, 49152]]),
            input_lengths=np.asarray([[2], [2]]),
            request_output_len=np.asarray([[4], [4]]),
        )
    assert len((await raw.ask([5, 6]))[0].ids) == 8
