"""The CPU model as TensorRT-LLM 1.2.1's `tensorrt_llm`.

What is asserted here was read in TensorRT-LLM's sources (triton_backend/inflight_batcher_llm, cpp/tensorrt_llm); a
server on GPUs must pass the same tests, but for the words in which it refuses.
"""

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest

from querygist.prompting.tokenizer import Tokenizer
from tests.contract.calls import USUAL, Raw, Refused, Response, request, responses

DRAFTS = ("total_draft_tokens", "total_accepted_draft_tokens", "acceptance_rate")
TIMES = ("arrival_time_ns", "first_scheduled_time_ns", "first_token_time_ns", "last_token_time_ns")
END = 2


def chat(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode_template(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"))


@pytest.fixture
def yes(tokenizer: Tokenizer) -> list[int]:
    """A prompt whose answer is a few words and the end id."""
    return chat(tokenizer, "Say only: Yes.")


@pytest.fixture
def fox(tokenizer: Tokenizer) -> list[int]:
    """A prompt whose answer copies from it, so that drafts are accepted, and is long."""
    return chat(tokenizer, "Repeat exactly: The quick brown fox jumps over the lazy dog.")


def lookahead(*numbers: int) -> dict[str, int]:
    names = ("lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size")
    return dict(zip(names, numbers, strict=False))


def joined(found: list[Response]) -> list[int]:
    return [token for one in found for token in one.ids]


class TestOutput:
    async def test_streams_carry_new_tokens_and_whole_answers_all(self, raw: Raw, fox: list[int]) -> None:
        streamed = await raw.ask(fox, streaming=True, request_output_len=16)
        [whole] = await raw.ask(fox, streaming=False, request_output_len=16)
        assert len(streamed) > 1
        assert joined(streamed) == whole.ids
        assert len(whole.ids) == 16

    async def test_the_prompt_comes_before_a_whole_answer_unless_excluded(self, raw: Raw, fox: list[int]) -> None:
        [without] = await raw.ask(fox, exclude_input_in_output=True)
        [silent] = await raw.ask(fox)
        assert silent.ids == without.ids, "the server's parameter exclude_input_in_output holds where none is sent"
        [whole] = await raw.ask(fox, exclude_input_in_output=False)
        assert whole.ids == fox + without.ids
        streamed = await raw.ask(fox, exclude_input_in_output=False, streaming=True)
        assert joined(streamed) == without.ids, "a stream never carries the prompt"

    @pytest.mark.parametrize("streaming", [True, False])
    async def test_the_end_id_ends_the_answer_and_is_not_in_it(self, raw: Raw, yes: list[int], streaming: bool) -> None:
        [beyond] = await raw.ask(yes, request_output_len=12)
        found = await raw.ask(yes, end_id=END, request_output_len=12, streaming=streaming)
        assert joined(found) == beyond.ids[: beyond.ids.index(END)]
        if streaming:
            assert found[-1].ids == [], "the final response may be empty"

    @pytest.mark.parametrize("inputs", [{}, {"end_id": -1}])
    async def test_without_an_end_id_the_answer_runs_to_its_length(
        self, raw: Raw, yes: list[int], inputs: dict[str, int]
    ) -> None:
        [whole] = await raw.ask(yes, request_output_len=12, **inputs)
        assert len(whole.ids) == 12
        assert END in whole.ids

    async def test_min_tokens_keep_the_end_away(self, raw: Raw, yes: list[int]) -> None:
        [whole] = await raw.ask(yes, end_id=END, min_tokens=6, request_output_len=9)
        assert 6 <= len(whole.ids) <= 9
        assert END not in whole.ids

    async def test_stop_words_end_the_answer_and_stay_in_it(self, raw: Raw, fox: list[int]) -> None:
        [whole] = await raw.ask(fox, request_output_len=16)
        first, second = whole.ids[3:5], whole.ids[8:9]
        words = np.asarray([[[*second, *first], [1, 3, -1]]])
        for streaming in (True, False):
            found = await raw.ask(fox, request_output_len=16, stop_words_list=words, streaming=streaming)
            assert joined(found) == whole.ids[:5]

    async def test_counts_are_sent_when_asked_for(self, raw: Raw, fox: list[int]) -> None:
        names = ("num_input_tokens", "num_output_tokens")
        [told] = await raw.ask(fox, outputs=USUAL + names, return_num_input_tokens=True, return_num_output_tokens=True)
        assert [told.number(name) for name in names] == [len(fox), 8]
        [silent] = await raw.ask(fox, outputs=USUAL + names)
        assert silent.names == set(USUAL)

    async def test_rows_of_a_batch_come_with_their_index(self, raw: Raw, yes: list[int], fox: list[int]) -> None:
        rows = [yes, fox, yes[:7]]
        width = max(map(len, rows))
        found = await raw.ask(
            np.asarray([row + [0] * (width - len(row)) for row in rows]),
            outputs=(*USUAL, "batch_index", "num_input_tokens"),
            input_lengths=np.asarray([[len(row)] for row in rows]),
            request_output_len=np.asarray([[3], [9], [5]]),
            streaming=np.asarray([[True]] * 3),
            return_num_input_tokens=np.asarray([[True]] * 3),
        )
        for index, (row, length) in enumerate(zip(rows, (3, 9, 5), strict=True)):
            own = [one for one in found if one.number("batch_index") == index]
            assert len(joined(own)) == length
            assert {one.number("num_input_tokens") for one in own} == {len(row)}, "cut to its length"

    async def test_a_length_does_not_cut_a_single_prompt(self, raw: Raw, fox: list[int]) -> None:
        [cut] = await raw.ask(fox, input_lengths=1)
        [whole] = await raw.ask(fox)
        assert cut.ids == whole.ids


class TestLookahead:
    async def test_drafts_are_counted(self, raw: Raw, fox: list[int]) -> None:
        found = await raw.ask(
            fox, outputs=USUAL + DRAFTS, streaming=True, return_perf_metrics=True, request_output_len=24
        )
        drafted, accepted, rate = (found[-1].number(name) for name in DRAFTS)
        assert 0 < accepted <= drafted
        assert rate == pytest.approx(accepted / drafted)
        assert accepted >= 24 - len(found), "what came in one pass beside its first token was drafted"
        counts = [one.number(DRAFTS[0]) for one in found]
        assert counts == sorted(counts), "they grow: sums over the request"

    async def test_1_1_0_is_plain_decoding(self, raw: Raw, fox: list[int]) -> None:
        found = await raw.ask(
            fox, outputs=USUAL + DRAFTS, streaming=True, return_perf_metrics=True, **lookahead(1, 1, 0)
        )
        assert [len(one.ids) for one in found] == [1] * 8
        assert [found[-1].number(name) for name in DRAFTS] == [0, 0, 0]

    async def test_a_request_may_ask_for_less_than_the_server_has(self, raw: Raw, fox: list[int]) -> None:
        found = await raw.ask(fox, streaming=True, request_output_len=24, **lookahead(2, 3, 2))
        assert 1 < max(len(one.ids) for one in found) <= 3

    async def test_an_ngram_without_a_window_is_ignored(self, raw: Raw, fox: list[int]) -> None:
        [ignored] = await raw.ask(fox, outputs=USUAL + DRAFTS, return_perf_metrics=True, lookahead_ngram_size=1)
        [usual] = await raw.ask(fox, outputs=USUAL + DRAFTS, return_perf_metrics=True)
        assert [ignored.number(name) for name in DRAFTS] == [usual.number(name) for name in DRAFTS]

    @pytest.mark.parametrize("streaming", [True, False])
    async def test_times_are_in_order(self, raw: Raw, fox: list[int], streaming: bool) -> None:
        found = await raw.ask(fox, outputs=USUAL + TIMES, return_perf_metrics=True, streaming=streaming)
        times = [found[-1].number(name) for name in TIMES]
        assert times == sorted(set(times))
        assert {one.number(TIMES[2]) for one in found} == {times[2]}, "the first token's time stays"


class TestStop:
    async def test_it_ends_the_request_with_its_id_and_no_other(self, raw: Raw, fox: list[int]) -> None:
        async def last(request_id: str, first: asyncio.Event) -> tuple[int, Response]:
            message = request(fox, request_id=request_id, streaming=True, request_output_len=64)
            count = 0
            async for response in responses(raw.stream(message)):
                first.set()
                count += len(response.ids)
            return count, response

        begun = [asyncio.Event(), asyncio.Event()]
        stopped, other = (asyncio.create_task(last(name, one)) for name, one in zip("ab", begun, strict=True))
        await asyncio.gather(*(one.wait() for one in begun))
        [answer] = await raw.ask(None, request_id="a", stop=True, input_lengths=0)
        assert answer.names == set(), "an empty final response"
        count, response = await stopped
        assert response.final
        assert count < 64
        assert (await other)[0] == 64

    async def test_an_id_that_is_not_in_flight_is_no_error(self, raw: Raw) -> None:
        [answer] = await raw.ask(None, request_id="nobody", stop=True, input_lengths=0)
        assert answer.names == set()

    async def test_it_needs_an_id(self, raw: Raw) -> None:
        with pytest.raises(Refused, match=r"^stop: .*request ID is not provided"):
            await raw.ask(None, stop=True, input_lengths=0)

    async def test_stop_false_is_a_request_like_any_other(self, raw: Raw, yes: list[int]) -> None:
        assert len((await raw.ask(yes, stop=False))[0].ids) == 8


class TestRefusals:
    @pytest.mark.parametrize("missing", USUAL)
    async def test_both_usual_outputs_must_be_asked_for(self, raw: Raw, missing: str) -> None:
        [other] = set(USUAL) - {missing}
        with pytest.raises(Refused, match=f"^{missing} tensor must be present in list of output tensors"):
            await raw.ask([5], outputs=[other])

    async def test_an_output_there_is_none_of(self, raw: Raw) -> None:
        with pytest.raises(Refused, match="unexpected inference output 'nonsense'"):
            await raw.ask([5], outputs=[*USUAL, "nonsense"])

    async def test_outputs_the_model_cannot_fill_are_left_out(self, raw: Raw) -> None:
        [answer] = await raw.ask([5], outputs=[*USUAL, "cum_log_probs", "context_logits", "sequence_index"])
        assert answer.names == set(USUAL)

    async def test_a_model_there_is_none_of(self, raw: Raw) -> None:
        with pytest.raises(Refused, match="unknown model: 'gpt'"):
            await raw.ask([5], model="gpt")

    @pytest.mark.parametrize(("attribute", "value"), [("name", "prompt"), ("datatype", "INT64"), ("shape", [1, 1, 1])])
    async def test_a_tensor_of_another_model(self, raw: Raw, attribute: str, value: Any) -> None:
        message = request([5])
        given = message.inputs[0]
        if isinstance(value, list):
            given.shape[:] = value
        else:
            setattr(given, attribute, value)
        if value == "INT64":
            message.raw_input_contents[0] = bytes(8)
        with pytest.raises(Refused, match=r"unexpected inference input|data-type is|unexpected shape for input"):
            async for _ in responses(raw.stream(message)):
                pass

    async def test_a_call_without_a_stream(self, raw: Raw) -> None:
        with pytest.raises(grpc.aio.AioRpcError, match="decoupled") as caught:
            await raw.stub.ModelInfer(request([5]))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
