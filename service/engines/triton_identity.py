"""Which model a Triton server serves, as its configuration tells (GetModelConfig), against the one expected."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from service.engines.base import Identity
from service.engines.triton_wire import LOOKAHEAD, MODEL
from service.errors import ArtifactError

PARAMETER = "querygist_identity"
"""The parameter in config.pbtxt that holds the identity, as JSON."""

CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """What matters of a server's model configuration; `lookahead` is (window, n-gram, verification set)."""

    lookahead: tuple[int, int, int]

    @classmethod
    def of(cls, config: Any, expected: Identity, address: str) -> "Served":
        """Read a ModelConfig message. Raises ArtifactError, naming what differs, when it is not the `expected` model.

        Precision may differ: it is the server's business.
        """
        parameters = {key: value.string_value for key, value in config.parameters.items()}
        try:
            told = json.loads(parameters[PARAMETER])
            if not isinstance(told, dict):
                raise TypeError(f"{PARAMETER} is not a JSON object")
            window, ngram, verification_set = (int(parameters[name]) for name in LOOKAHEAD)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"The model {MODEL!r} at {address} does not say which model it is ({error!r}). Serve Querygist's "
                f"model repository, whose config.pbtxt has the parameters {PARAMETER} and lookahead_*."
            ) from None
        differing = [
            f"{field.name} is {told.get(field.name)!r} there and {asdict(expected)[field.name]!r} here"
            for field in fields(expected)
            if field.name != "precision" and told.get(field.name) != asdict(expected)[field.name]
        ]
        if differing:
            raise ArtifactError(
                f"Triton at {address} serves another model than this gateway expects: {'; '.join(differing)}. "
                "Deploy both from one release, or point QUERYGIST_WEIGHTS_DIR at the weights Triton serves."
            )
        return cls(lookahead=(window, ngram, verification_set))


def check_reachable(addresses: list[str], expected: Identity) -> None:
    """Look at each server that answers now. Raises ArtifactError when one serves another model.

    Servers that do not answer are left for later: they may start after the gateway.
    """
    for address in addresses:
        with InferenceServerClient(address) as client:
            try:
                answer = client.get_model_config(MODEL, client_timeout=CONNECT_SECONDS)
            except (InferenceServerException, grpc.RpcError):
                continue
            Served.of(answer.config, expected, address)
