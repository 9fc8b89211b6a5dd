"""An answer that the model gives by a wide margin, for the canaries of engines that serve it.

The prompt is a small request. Its answer begins with the decision that there is one, which damaged weights lose first,
and goes on with a label and words of the document.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from querygist import artifact
from querygist.artifact import openvino_ir
from querygist.engines.base import KnownAnswer
from querygist.prompting.prompt_builder import fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from querygist.text.cleaning import clean_document
from querygist.text.ranking import rank

QUERY = "who discovered penicillin"
DOCUMENT = "Penicillin was discovered in 1928 by Alexander Fleming."
MAX_WORDS = 20

TOKENS = 4
"""Of the answer; canaries wait for all of them."""

LEAST_MARGIN = 2.0
"""Between the logits of the best token and the next: e^2 is 7 times as likely. Of model 0.4.0 the margins are 2.5, 4.1,
6.0, 9.8 in float32; in int8 and in simulated FP8 (training/fp8/readback.py) they differ by 0.5 at most."""


def measure(settings: Settings) -> KnownAnswer | None:
    """Return a known answer of the model that `settings` describe, built if need be; None: it is not certain enough.

    Raises ArtifactError.
    """
    built = artifact.build(settings)
    prompt = prompt_of(built)
    ids, margins = zip(*greedy(built, prompt, TOKENS), strict=True)
    return KnownAnswer(prompt, ids) if min(margins) >= LEAST_MARGIN else None


def prompt_of(built: artifact.BuiltModel) -> tuple[int, ...]:
    """Return the request's prompt, as the service builds it."""
    window = fit(
        Tokenizer(built.tokenizer_path),
        rank(clean_document(DOCUMENT, content_type="text/plain"), QUERY),
        prompt_version=built.identity.prompt_version,
        prompt_limit=built.identity.prompt_limit,
        query=QUERY,
        title=None,
        max_words=MAX_WORDS,
    )
    return tuple(window.ids)


def greedy(built: artifact.BuiltModel, prompt: Sequence[int], tokens: int) -> Iterator[tuple[int, float]]:
    """The best next token, again and again, and how far its logit is above the second's. Each pass reads all ids."""
    import openvino  # noqa: PLC0415  seconds, for this stage only

    precise = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    properties = precise if built.identity.precision == "fp32" else {}
    network = openvino.Core().compile_model(str(built.path / openvino_ir.FILES[0]), "CPU", properties)
    ids = list(prompt)
    for _ in range(tokens):
        inputs = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, len(ids)), np.int64),
            "position_ids": np.arange(len(ids), dtype=np.int64)[None],
            "beam_idx": np.zeros(1, np.int32),
        }
        logits = network.create_infer_request().infer(inputs)[network.output(0)][0, -1]  # a new request: no state
        second, best = np.argsort(logits)[-2:].tolist()
        yield best, float(logits[best] - logits[second])
        ids.append(best)
