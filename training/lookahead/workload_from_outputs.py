"""A workload from what a student wrote for test rows: real lengths, and S by replaying its greedy outputs.

Greedy output does not depend on what is drafted, so n-grams of the text can be verified against it without the model
(`ngram_pool.replay`). The window of (4,6,4) cannot: its own n-grams come on top, so its S here is a lower bound.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.prompting import templates
from querygist.prompting.tokenizer import Tokenizer
from querygist.sizing.workload import LOOKAHEAD, Decoder, Workload
from training.data.examples import Example, read_examples
from training.evaluate.outputs import read
from training.generate.generator import Generated
from training.lookahead.ngram_pool import Shape, replay
from training.train.encoding import Encoded, encode

PROMPT_NGRAMS = "prompt n-grams"

_SEEDED = Shape(window=0, ngram=6, verification_set=4)
_ONE = Shape(window=0, ngram=6, verification_set=1)
_LOOKAHEAD_TOKENS = (4 + 4) * 5
"""(W + G)(N - 1): (4,6,4)'s tokens of a pass; TensorRT-LLM has logits for all of them."""


def build(weights: Path, examples: Sequence[Path], outputs: Path) -> Workload:
    """From the model folder that wrote, the data stage's test files and the evaluation's outputs for it.

    Raises ConfigurationError and ArtifactError naming what cannot be read.
    """
    manifest = Manifest.load(weights)
    identity, tokenizer = manifest.identity("int8"), Tokenizer(weights / manifest.tokenizer.file)
    written = read(outputs)
    rows = [example for file in examples for example in read_examples(file) if example.id in written]
    if not rows:
        raise ConfigurationError(
            f"{outputs} has no output for an example of {', '.join(map(str, examples))}: they do not belong together."
        )
    lengths, seeded, one = [], Counter[int](), Counter[int]()
    for example in track(rows, "replaying outputs"):
        encoded = _encoded(example, written[example.id], tokenizer, identity)
        lengths.append((len(encoded.prompt), len(encoded.target)))
        seeded.update(replay(_SEEDED, encoded.prompt, encoded.target)[1:])
        one.update(replay(_ONE, encoded.prompt, encoded.target)[1:])
    source = f"{len(rows)} test rows, prompts {identity.prompt_version}, outputs of {manifest.name} {manifest.version}"
    return Workload(
        source=source,
        requests=tuple(lengths),
        decoders=(
            Decoder(
                LOOKAHEAD, _LOOKAHEAD_TOKENS, _LOOKAHEAD_TOKENS, _histogram(seeded),
                f"lower bound: n-grams of the text alone {_SEEDED}, replayed; the cost is the whole window's. {source}",
            ),
            Decoder(PROMPT_NGRAMS, _ONE.tokens, _ONE.tokens, _histogram(one), f"{_ONE}, replayed. {source}"),
        ),
    )  # fmt: skip


def _encoded(example: Example, output: Generated, tokenizer: Tokenizer, identity: Identity) -> Encoded:
    """Prompt, and the ids that gave this text: as training encodes it, but that it ends where it does."""
    text = output.text if output.answerable else templates.NO_ANSWER
    return encode(replace(example, summary=text), tokenizer, identity, reads_on=False)


def _histogram(passes: Mapping[int, int]) -> tuple[float, ...]:
    return tuple(float(passes.get(count, 0)) for count in range(1, max(passes, default=1) + 1))
