"""Prompt to completion: the same in the service and in every generator of training.

`generate` asks an engine and gives text as it becomes safe to send; `completion_of` takes token ids that are all there,
of libraries that generate whole batches.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, Engine, GenerationRequest, Identity
from querygist.prompting.detokenizer import Detokenizer
from querygist.prompting.tokenizer import Tokenizer

TOKENS_PER_WORD = 1.6
"""How many output tokens a word may take before the model is cut off; the bound on words itself is exact."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Text a model generated: one paragraph of at most `max_words` words, "" when it says that nothing answers.

    `tail` is the part of `text` that `generate` has not yielded before. `tokens` were generated, the end id not among
    them; `ended`: it was reached. `passes`: forward passes that took.
    """

    text: str
    answerable: bool
    tail: str
    tokens: int
    ended: bool
    passes: int


def token_limit(max_words: int, output_limit: int) -> int:
    """Most tokens that the model may write for a summary of `max_words`."""
    return min(output_limit, round(max_words * TOKENS_PER_WORD) + 16)


async def generate(
    engine: Engine,
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    *,
    max_words: int,
    deadline: Deadline,
    request_id: str,
    trace_headers: Mapping[str, str] | None = None,
    observe: Callable[[Chunk], None] = lambda _: None,
) -> AsyncGenerator[str | Completion, None]:
    """Pieces of text as they become safe to send, then the completion; `observe` sees every chunk of the engine.

    Closing the generator cancels the request. Raises EngineUnavailable and DeadlineExceeded.
    """
    identity = engine.identity
    detokenizer = Detokenizer.answering(identity.prompt_version, tokenizer, max_words=max_words)
    tokens = passes = 0
    ended = False
    chunks = engine.generate(
        GenerationRequest(
            prompt,
            max_new_tokens=token_limit(max_words, identity.output_limit),
            deadline=deadline,
            request_id=request_id,
            trace_headers=trace_headers or {},
        )
    )
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            observe(chunk)
            passes += 1
            tokens += len(chunk.ids)
            ended = chunk.finished == "stop"
            if piece := detokenizer.push(chunk.ids):
                yield piece
            if detokenizer.full:
                break
    final = detokenizer.finish("stop" if ended else "length")
    yield Completion(final.text, final.answerable, final.tail, tokens, ended, passes)


def completion_of(ids: Sequence[int], tokenizer: Tokenizer, identity: Identity, *, max_words: int) -> Completion:
    """The completion of ids that were generated one a pass: up to the end id, or to the limit of tokens."""
    kept = list(ids[: token_limit(max_words, identity.output_limit)])
    ended = identity.end_id in kept
    if ended:
        kept = kept[: kept.index(identity.end_id)]
    detokenizer = Detokenizer.answering(identity.prompt_version, tokenizer, max_words=max_words)
    detokenizer.push(kept)
    final = detokenizer.finish("stop" if ended else "length")
    return Completion(final.text, final.answerable, final.text, len(kept), ended, len(kept) + ended)
