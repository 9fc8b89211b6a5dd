"""What the CPU model answers, tensor by tensor."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.engines.openvino.scheduler import Progress
from querygist.triton_backend.outputs import Outputs, Reply
from tests.unit.triton_backend.requests import ask

DRAFTS = st.integers(0, 5).flatmap(lambda drafted: st.tuples(st.just(drafted), st.integers(0, drafted)))
IDS = st.lists(st.integers(0, 999), max_size=6).map(tuple)
PASSES = st.lists(st.builds(lambda ids, drafts: Progress(ids, *drafts), IDS.filter(bool), DRAFTS), max_size=8)
ENDS = st.builds(  # with nothing new where the end id came alone
    lambda ids, drafts, reason: Progress(ids, *drafts, finished=reason),
    IDS,
    DRAFTS,
    st.sampled_from(["stop", "length", "cancelled"]),
)


def replies(passes: list[Progress], end: Progress, *, batch_index: int | None = None, **inputs: Any) -> list[Outputs]:
    """What is sent for a request that joins the batch, makes these passes and ends."""
    reply = Reply(ask(**inputs), batch_index)
    sent = [reply.add(progress) for progress in [Progress(()), *passes, end]]
    assert sent[0] is None, "joining the batch is no news"
    return [outputs for outputs in sent if outputs is not None]


def ids_of(outputs: Outputs) -> list[int]:
    assert outputs["output_ids"].shape[:2] == (1, 1), "batch, beams"
    assert outputs["sequence_length"].shape == (1, 1)
    assert outputs["sequence_length"].item() == outputs["output_ids"].shape[2]
    ids: list[int] = outputs["output_ids"].reshape(-1).tolist()
    return ids


@given(PASSES, ENDS)
def test_streamed_pieces_joined_are_the_whole(passes: list[Progress], end: Progress) -> None:
    streamed = replies(passes, end, streaming=True)
    [whole] = replies(passes, end, streaming=False)
    assert [ids_of(outputs) for outputs in streamed] == [list(one.ids) for one in [*passes, end]]
    assert [token for outputs in streamed for token in ids_of(outputs)] == ids_of(whole)


@given(PASSES, ENDS, st.booleans())
def test_the_prompt_comes_first_in_a_whole_answer_only(passes: list[Progress], end: Progress, streaming: bool) -> None:
    without = replies(passes, end, streaming=streaming, exclude_input_in_output=True)
    with_prompt = replies(passes, end, streaming=streaming, exclude_input_in_output=False)
    prompt = [] if streaming else [5, 6, 7]
    assert [ids_of(one) for one in with_prompt] == [prompt + ids_of(one) for one in without]


@given(PASSES, ENDS, st.booleans())
def test_counts_are_sums_up_to_the_response(passes: list[Progress], end: Progress, streaming: bool) -> None:
    sent = replies(
        passes, end, streaming=streaming, return_perf_metrics=True, return_num_input_tokens=True,
        return_num_output_tokens=True,
    )  # fmt: skip
    for number, outputs in enumerate(sent, start=1):
        so_far = [*passes, end] if not streaming else [*passes, end][:number]
        drafted, accepted = sum(one.drafted for one in so_far), sum(one.accepted for one in so_far)
        assert outputs["total_draft_tokens"].tolist() == [[drafted]]
        assert outputs["total_accepted_draft_tokens"].tolist() == [[accepted]]
        assert outputs["acceptance_rate"].item() == pytest.approx(accepted / drafted if drafted else 0)
        assert outputs["num_input_tokens"].tolist() == [[3]]
        assert outputs["num_output_tokens"].item() == len(ids_of(outputs))
        times = [outputs[f"{name}_ns"].item() for name in ("arrival_time", "first_scheduled_time")]
        if any(one.ids for one in so_far):
            times += [outputs[f"{name}_token_time_ns"].item() for name in ("first", "last")]
        assert times[0] > 0
        assert times == sorted(times)
    first = {outputs["first_token_time_ns"].item() for outputs in sent} - {0}
    assert len(first) <= 1, "it stays"


def test_only_what_was_asked_for_is_sent() -> None:
    [outputs] = replies([], Progress((1,), finished="stop"))
    assert set(outputs) == {"output_ids", "sequence_length"}
    [outputs] = replies([], Progress((1,), finished="stop"), batch_index=3)
    assert outputs["batch_index"].tolist() == [[3]]


def test_types_are_those_of_the_configuration() -> None:
    [outputs] = replies([], Progress((1,), finished="stop"), batch_index=0, return_perf_metrics=True)
    kinds = {name: values.dtype for name, values in outputs.items()}
    assert {name for name, kind in kinds.items() if kind == np.int64} == {
        f"{moment}_ns" for moment in ("arrival_time", "first_scheduled_time", "first_token_time", "last_token_time")
    }
    assert {name for name, kind in kinds.items() if kind not in {np.dtype(np.int32), np.dtype(np.int64)}} == {
        "acceptance_rate"
    }
    assert kinds["acceptance_rate"] == np.float32
