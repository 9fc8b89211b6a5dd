"""Check of a Triton server's model, as its configuration says (GetModelConfig), against the one expected."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from querygist.engines.base import Identity
from querygist.engines.triton import tensorrt_llm
from querygist.engines.triton.protocol import LOOKAHEAD, MODEL, PLAIN
from querygist.engines.triton.tensorrt_llm import EngineFacts, differing
from querygist.errors import ArtifactError

PARAMETER = "querygist_identity"
"""The parameter in config.pbtxt that holds the identity, as JSON."""

CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """The part of a server's model configuration that requests depend on.

    `lookahead` is (window, n-gram, verification set); None: a TensorRT-LLM engine built without.
    """

    lookahead: tuple[int, int, int] | None

    def decoding(self, *, plain: bool) -> tuple[int, int, int] | None:
        """The lookahead to ask for; `plain` is one token a pass. An engine built without takes none of these inputs."""
        return PLAIN if plain and self.lookahead is not None else self.lookahead

    @classmethod
    def of(cls, config: Any, expected: Identity, address: str) -> "Served":
        """Read a ModelConfig message. Raises ArtifactError, naming what differs, when it is not the `expected` model.

        Precision may differ: it is the server's business. A TensorRT-LLM engine is also asked what it was built for.
        """
        parameters = {key: value.string_value for key, value in config.parameters.items()}
        engine = _engine(parameters, address) if config.backend == tensorrt_llm.BACKEND else None
        try:
            told = json.loads(parameters[PARAMETER])
            if not isinstance(told, dict):
                raise TypeError(f"{PARAMETER} is not a JSON object")
            without = engine is not None and not parameters.keys() & set(LOOKAHEAD)
            lookahead = None if without else _lookahead(parameters)
            found = differing(told, expected) or (engine.differences(expected, lookahead) if engine else [])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"The model {MODEL!r} at {address} does not say which model it is ({error!r}). Serve Querygist's "
                f"model repository, whose config.pbtxt has the parameters {PARAMETER} and lookahead_*."
            ) from None
        if found:
            raise ArtifactError(
                f"Triton at {address} serves another model than this gateway expects: {'; '.join(found)}. "
                "Deploy both from one release, or point QUERYGIST_WEIGHTS_DIR at the weights Triton serves."
                + (" `querygist engine build` builds an engine for them." if engine else "")
            )
        return cls(lookahead)


def _lookahead(parameters: Mapping[str, str]) -> tuple[int, int, int]:
    window, ngram, verification_set = (int(parameters[name]) for name in LOOKAHEAD)
    return window, ngram, verification_set


def _engine(parameters: Mapping[str, str], address: str) -> EngineFacts:
    try:
        return EngineFacts.read(parameters[tensorrt_llm.PARAMETER])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"The TensorRT-LLM engine at {address} does not say what it was built for ({error!r}). Serve a repository "
            f"that `querygist engine build` made: its config.pbtxt has {tensorrt_llm.PARAMETER}."
        ) from None


def check_reachable(addresses: list[str], expected: Identity) -> None:
    """Look at each server that answers now. Raises ArtifactError when one serves another model.

    EndpointPool that do not answer are left for later: they may start after the gateway.
    """
    for address in addresses:
        with InferenceServerClient(address) as client:
            try:
                answer = client.get_model_config(MODEL, client_timeout=CONNECT_SECONDS)
            except (InferenceServerException, grpc.RpcError):
                continue
            Served.of(answer.config, expected, address)
