"""An engine that is not the one expected keeps the gateway from starting.

The manifest is written by `querygist engine build` and read by the gateway: both are tried together.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead
from querygist.engines.triton import protocol
from querygist.engines.triton.identity import PARAMETER as IDENTITY
from querygist.engines.triton.identity import Served
from querygist.engines.triton.tensorrt_llm import PARAMETER, EngineFacts
from querygist.errors import ArtifactError
from querygist.triton_server.repository import GPU_MODEL, load_config
from querygist.trtllm.build import parameters
from querygist.trtllm.engine_manifest import EngineManifest
from querygist.trtllm.limits import Limits
from querygist.trtllm.machine import Machine

ADDRESS = "gpu-7:8001"
L20 = Machine("1.2.1", "10.14.1.48", "13.0", "580.82.07", "NVIDIA L20", (8, 9), 49140)


def manifest_of(model: Identity, lookahead: tuple[int, int, int] | None = (4, 6, 4), **limits: int) -> EngineManifest:
    room = {"max_batch_size": 32, "max_input_len": 896, "max_output_len": 192, "max_seq_len": 1152} | limits
    return EngineManifest(
        name="an-engine", model=model, lookahead=lookahead, limits=Limits(**room), weights="fp8", kv_cache="fp8",
        machine=L20, image=None, command=["trtllm-build"], checkpoint={}, engine={},
    )  # fmt: skip


def served(manifest: EngineManifest, edit: Callable[[ModelConfig], None] = lambda _: None) -> ModelConfig:
    """The configuration as `querygist engine build` fills it in, then changed by `edit`."""
    config = load_config(GPU_MODEL)
    for name, value in parameters(manifest, Path("/engines/1")).items():
        config.parameters[name].string_value = value
    if manifest.lookahead is None:
        for name in ("decoding_mode", *protocol.LOOKAHEAD):
            del config.parameters[name]
    edit(config)
    return config


def configured(**values: Any) -> Callable[[ModelConfig], None]:
    """The edit that sets parameters; None takes one out."""

    def edit(config: ModelConfig) -> None:
        for name, value in values.items():
            if value is None:
                del config.parameters[name]
            else:
                config.parameters[name].string_value = str(value)

    return edit


@pytest.mark.parametrize("lookahead", [(4, 6, 4), (2, 2, 1), None])
def test_the_engine_of_this_model_is_taken(identity: Identity, lookahead: tuple[int, int, int] | None) -> None:
    config = served(manifest_of(replace(identity, precision="fp8"), lookahead))
    assert Served.of(config, identity, ADDRESS).lookahead == lookahead


OTHER: dict[str, Any] = {
    "name": "someone-elses", "version": "0.0.0", "base_sha256": "b" * 64, "adapter_sha256": None,
    "tokenizer_sha256": "c" * 64, "prompt_version": "v0", "vocabulary_size": 7, "end_id": 3, "prompt_limit": 895,
    "output_limit": 191,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHER))
def test_an_engine_of_another_model_is_always_refused(identity: Identity, name: str) -> None:
    stale = manifest_of(replace(identity, **{name: OTHER[name]}))
    config = served(stale, configured(**{IDENTITY: json.dumps(asdict(identity))}))
    with pytest.raises(ArtifactError) as caught:
        Served.of(config, identity, ADDRESS)
    assert f"{name} is {OTHER[name]!r} there and {asdict(identity)[name]!r} here" in caught.value.detail
    assert ADDRESS in caught.value.detail
    assert "querygist engine build" in caught.value.detail


def test_an_engine_of_another_lookahead_is_refused(identity: Identity) -> None:
    config = served(manifest_of(identity), configured(lookahead_window_size=3))
    with pytest.raises(ArtifactError, match=r"built for lookahead_window_size 4.* config\.pbtxt says .*window_size 3"):
        Served.of(config, identity, ADDRESS)


def test_a_plain_engine_served_with_lookahead_is_refused(identity: Identity) -> None:
    config = served(manifest_of(identity, None), _lookahead)
    with pytest.raises(ArtifactError, match=r"built for no lookahead and config\.pbtxt says lookahead_window_size 4"):
        Served.of(config, identity, ADDRESS)


def _lookahead(config: ModelConfig) -> None:
    for name, value in zip(protocol.LOOKAHEAD, "464", strict=True):
        config.parameters[name].string_value = value


def test_a_lookahead_engine_served_without_is_refused(identity: Identity) -> None:
    config = served(manifest_of(identity), configured(**dict.fromkeys(protocol.LOOKAHEAD)))
    with pytest.raises(ArtifactError, match=r"built for lookahead_window_size 4.* config\.pbtxt says no lookahead"):
        Served.of(config, identity, ADDRESS)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_input_len": 895}, "the engine takes 895 tokens of prompt, 896 are needed"),
        ({"max_seq_len": 1126}, "sequences hold 1126 tokens, 896 of prompt, 192 of output and 39 drafts are 1127"),
    ],
)
def test_an_engine_without_room_for_this_model_is_refused(
    identity: Identity, limits: dict[str, int], told: str
) -> None:
    with pytest.raises(ArtifactError, match=told):
        Served.of(served(manifest_of(identity, **limits)), identity, ADDRESS)


@pytest.mark.parametrize(
    "told", [None, "", "not JSON", "[]", "null", "{}", '{"model": {}, "lookahead": [1], "limits": {}}']
)
def test_an_engine_that_says_nothing_of_itself_is_refused(identity: Identity, told: str | None) -> None:
    config = served(manifest_of(identity), configured(**{PARAMETER: told}))
    with pytest.raises(ArtifactError, match=f"at {ADDRESS} does not say what it was built for.*querygist engine build"):
        Served.of(config, identity, ADDRESS)


def test_the_committed_configuration_is_only_a_template(identity: Identity) -> None:
    with pytest.raises(ArtifactError, match="does not say what it was built for"):
        Served.of(load_config(GPU_MODEL), identity, ADDRESS)


def test_another_backend_needs_no_engine(identity: Identity) -> None:
    def python(config: ModelConfig) -> None:
        config.backend = "python"
        del config.parameters[PARAMETER]

    assert Served.of(served(manifest_of(identity), python), identity, ADDRESS).lookahead == (4, 6, 4)


@given(st.integers(1, 9), st.integers(2, 9), st.integers(0, 9), st.integers(1, 2000))
def test_only_lengths_that_hold_prompt_output_and_drafts_pass(
    identity: Identity, window: int, ngram: int, verification_set: int, max_seq_len: int
) -> None:
    lookahead = Lookahead(window, ngram, verification_set)
    facts = EngineFacts(asdict(identity), lookahead, identity.prompt_limit, max_seq_len)
    needed = identity.prompt_limit + identity.output_limit + lookahead.max_draft_len
    assert (facts.differences(identity, (window, ngram, verification_set)) == []) == (max_seq_len >= needed)


@pytest.mark.parametrize(
    ("lookahead", "plain", "asked"),
    [((4, 6, 4), False, (4, 6, 4)), ((4, 6, 4), True, (1, 1, 0)), (None, False, None), (None, True, None)],
)
def test_an_engine_without_lookahead_is_asked_for_none(
    lookahead: tuple[int, int, int] | None, plain: bool, asked: tuple[int, int, int] | None
) -> None:
    """TensorRT-LLM: "Cannot set the request lookahead decoding configuration when model instance ... are not set"."""
    assert Served(lookahead).decoding(plain=plain) == asked
    names = {one.name() for one in protocol._inputs([1, 2], 3, 2, asked)}
    assert (names >= set(protocol.LOOKAHEAD)) == (asked is not None)
    assert bool(names & set(protocol.LOOKAHEAD)) == (asked is not None)
