"""Which model a Triton server serves."""

import json
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.engines.base import Identity
from querygist.engines.triton.identity import PARAMETER, Served
from querygist.errors import ArtifactError
from querygist.triton_server.repository import CPU_MODEL, load_config

ADDRESS = "triton-7:8001"

OTHER: dict[str, Any] = {
    "name": "someone-elses",
    "version": "0.0.0",
    "base_sha256": "b" * 64,
    "adapter_sha256": "a" * 64,
    "tokenizer_sha256": "c" * 64,
    "prompt_version": "v0",
    "vocabulary_size": 7,
    "end_id": 3,
    "prompt_limit": 5,
    "output_limit": 6,
}


def config_of(told: object, **parameters: str | None) -> ModelConfig:
    """The CPU model's configuration with the identity `told`; a parameter that is None is taken out."""
    config = load_config(CPU_MODEL)
    config.parameters[PARAMETER].string_value = told if isinstance(told, str) else json.dumps(told)
    for name, value in parameters.items():
        if value is None:
            del config.parameters[name]
        else:
            config.parameters[name].string_value = value
    return config


def test_the_same_model_is_taken(identity: Identity) -> None:
    assert Served.of(config_of(asdict(identity)), identity, ADDRESS) == Served(lookahead=(4, 6, 4))


def test_precision_is_the_servers_business(identity: Identity) -> None:
    Served.of(config_of(asdict(replace(identity, precision="fp8"))), identity, ADDRESS)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_field_that_differs_is_named(identity: Identity, name: str) -> None:
    mine = asdict(identity)
    with pytest.raises(ArtifactError) as caught:
        Served.of(config_of(mine | {name: OTHER[name]}), identity, ADDRESS)
    assert f"{name} is {OTHER[name]!r} there and {mine[name]!r} here" in caught.value.detail
    assert ADDRESS in caught.value.detail
    for other in set(mine) - {name}:
        assert f" {other} is" not in caught.value.detail


def test_every_field_but_precision_is_tried() -> None:
    assert set(OTHER) == {field.name for field in fields(Identity)} - {"precision"}


def test_differing_and_missing_identity_fields_are_named(identity: Identity) -> None:
    told = asdict(identity) | {"end_id": 3}
    del told["version"]
    with pytest.raises(ArtifactError, match=r"version is None there.*; end_id is 3 there"):
        Served.of(config_of(told), identity, ADDRESS)


@pytest.mark.parametrize("told", ["", "not JSON", "[]", "null", '"querygist"', "7"])
def test_an_identity_that_is_none_is_told(identity: Identity, told: str) -> None:
    with pytest.raises(ArtifactError, match=f"at {ADDRESS} does not say which model it is.*{PARAMETER}"):
        Served.of(config_of(told), identity, ADDRESS)


@pytest.mark.parametrize(
    "parameters",
    [{PARAMETER: None}, {"lookahead_window_size": None}, {"lookahead_ngram_size": "six"}],
    ids=["no identity", "no window", "no number"],
)
def test_a_parameter_that_is_missing_is_told(identity: Identity, parameters: dict[str, str | None]) -> None:
    with pytest.raises(ArtifactError, match="does not say which model it is"):
        Served.of(config_of(asdict(identity), **parameters), identity, ADDRESS)
