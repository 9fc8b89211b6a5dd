"""What an engine must have room for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from querygist.engines.lookahead import Lookahead
from querygist.errors import ConfigurationError
from querygist.trtllm.build import limits_for
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.limits import Limits, check

ADA, HOPPER, AMPERE = (8, 9), (9, 0), (8, 0)
DECIDED = Lookahead(4, 6, 4)


@pytest.fixture
def checkpoint(checkpoint_folder: Callable[..., Path]) -> Checkpoint:
    return Checkpoint.read(checkpoint_folder())


def test_limits_are_the_manifests_and_the_configurations(checkpoint: Checkpoint) -> None:
    assert limits_for(checkpoint) == Limits(
        max_batch_size=32, max_input_len=896, max_output_len=192, max_seq_len=1152, max_num_tokens=4096
    )


@pytest.mark.parametrize("lookahead", [DECIDED, None])
@pytest.mark.parametrize("capability", [ADA, HOPPER, (10, 0)])
def test_what_was_decided_fits(
    checkpoint: Checkpoint, lookahead: Lookahead | None, capability: tuple[int, int]
) -> None:
    check(limits_for(checkpoint), lookahead, checkpoint, capability)


def test_a_larger_window_wants_longer_sequences(checkpoint: Checkpoint) -> None:
    seven = Lookahead(7, 7, 7)
    assert seven.max_draft_len == 83
    with pytest.raises(ConfigurationError, match=r"max_seq_len is 1152.*83 drafts are 1171: give --max-seq-len 1171"):
        check(limits_for(checkpoint), seven, checkpoint, ADA)
    check(limits_for(checkpoint, 1171), seven, checkpoint, ADA)


@pytest.mark.parametrize(("tokens", "fits"), [(32 * 40 + 896, True), (32 * 40 + 895, False)])
def test_a_pass_holds_every_request_with_its_drafts_and_a_prompt(
    checkpoint: Checkpoint, tokens: int, fits: bool
) -> None:
    limits = replace(limits_for(checkpoint), max_num_tokens=tokens)
    if fits:
        check(limits, DECIDED, checkpoint, ADA)
    else:
        with pytest.raises(ConfigurationError, match=rf"max_num_tokens is {tokens}.*2176 in all"):
            check(limits, DECIDED, checkpoint, ADA)


def test_sequences_are_no_longer_than_the_model_knows(checkpoint: Checkpoint) -> None:
    with pytest.raises(ConfigurationError, match="max_seq_len is 1152 and the model knows 1024 positions"):
        check(limits_for(checkpoint), None, replace(checkpoint, positions=1024), ADA)


def test_fewer_tokens_than_the_tokenizer_has_are_told(checkpoint: Checkpoint) -> None:
    with pytest.raises(ConfigurationError, match="49151 tokens and its model's tokenizer 49152"):
        check(limits_for(checkpoint), None, replace(checkpoint, vocabulary=49151), ADA)


@pytest.mark.parametrize(
    ("weights", "cache", "refused"), [("fp8", "fp8", True), ("fp8", "fp16", True), ("fp16", "fp16", False)]
)
def test_fp8_needs_ada(checkpoint: Checkpoint, weights: str, cache: str, refused: bool) -> None:
    other = replace(checkpoint, weights=weights, kv_cache=cache)  # type: ignore[arg-type]
    if refused:
        with pytest.raises(ConfigurationError, match=r"compute capability is 8\.0: FP8 needs 8\.9"):
            check(limits_for(other), None, other, AMPERE)
    else:
        check(limits_for(other), None, other, AMPERE)


@pytest.mark.parametrize(
    ("heads", "capability", "lookahead", "suits"),
    [
        ((9, 9), ADA, DECIDED, True),
        ((9, 3), ADA, DECIDED, False),  # SmolLM2-135M as it is
        ((9, 3), HOPPER, DECIDED, True),
        ((9, 3), ADA, None, True),
        ((12, 12), ADA, DECIDED, True),  # GPT-2
        ((32, 8), ADA, DECIDED, True),
        ((9, 2), HOPPER, None, False),
    ],
)
def test_the_kernels_that_verify_drafts_take_some_groups_only(
    checkpoint: Checkpoint,
    heads: tuple[int, int],
    capability: tuple[int, int],
    lookahead: Lookahead | None,
    suits: bool,
) -> None:
    other = replace(checkpoint, query_heads=heads[0], kv_heads=heads[1])
    if suits:
        check(limits_for(other), lookahead, other, capability)
    else:
        with pytest.raises(ConfigurationError, match=rf"{heads[0]} query heads on {heads[1]} KV heads.*expanded"):
            check(limits_for(other), lookahead, other, capability)


def test_everything_that_is_wrong_is_told_at_once(checkpoint: Checkpoint) -> None:
    other = replace(checkpoint, kv_heads=3, positions=1024)
    with pytest.raises(ConfigurationError) as caught:
        check(limits_for(other), Lookahead(7, 7, 7), other, AMPERE)
    for part in ("1171", "1024 positions", "FP8 needs 8.9", "9 query heads on 3"):
        assert part in caught.value.detail
