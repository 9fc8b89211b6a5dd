"""Times single passes of the CPU engine: of the very pipeline that serves.

The pipeline is OpenVINO GenAI's continuous batching (its paged attention, scheduler and sampler), and its `step` is one
pass, so what is timed is what a request waits for; a plain inference of the compiled model would have another attention
and none of the rest. What goes into a pass is controlled from outside:

- prompt points: a prompt that nothing in the prefix cache begins like is read in one piece, or, to have a context, in
  two, the second of which counts;
- decode points: n - 1 candidates a pass. Prompts repeat one sentence, so that the n-gram lookup finds candidates; the
  rule of the lookup is known (`prompt_lookup`), and passes in which any sequence had fewer are not counted.
"""

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loadtest.capacity.cpu_costs import Point
from querygist.engines.openvino.decoding_pipeline import Decoding, DecodingPipeline
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.prompt_lookup import prompt_lookup

Ints = Sequence[int]

_WIDE = 8192
"""Tokens of a pass that no prompt here is cut at."""

_FIRST_ID = 1000
"""Ids from here on are ordinary text in the vocabulary."""


class Bench:
    """Times passes. `sentence`: ids of the text that prompts repeat."""

    def __init__(self, options: EngineOptions, sentence: Sequence[int], *, samples: int) -> None:
        self._options = options
        self._sentence = sentence
        self._samples = samples
        self._first_ids = itertools.count(_FIRST_ID)
        self._pipelines: dict[tuple[bool, int], DecodingPipeline] = {}

    def prompt_points(self, tokens: Ints, contexts: Ints) -> Iterator[Point]:
        """Each number of tokens behind each context.

        The pipeline cuts prompts at `pass_tokens`: behind a context, that is the context and the second pass is timed,
        for numbers of tokens that are not cut once more.
        """
        for context, count in itertools.product(contexts, tokens):
            if context and count > context:
                continue
            pipeline = self._pipeline(False, context or _WIDE)
            times = []
            for _ in range(self._samples + 1):  # the first warms up
                slot, handle = pipeline.add(self._prompt(context + count), Decoding(1, None, 0))
                if context:
                    pipeline.step()
                times.append(_timed(pipeline))
                handle.read()
                pipeline.free(slot)
            yield Point(count, context, 1, statistics.median(times[1:]), self._samples)

    def decode_points(self, new_tokens: Ints, sequences: Ints, contexts: Ints) -> Iterator[Point]:
        """Each number of new tokens of each sequence. A point's context is about the mean over its passes."""
        for context, batch, count in itertools.product(contexts, sequences, new_tokens):
            if (point := self._decode(count, batch, context)) is not None:
                yield point

    def _decode(self, count: int, batch: int, context: int) -> Point | None:
        """None when the lookup never found enough candidates for all sequences at once."""
        pipeline = self._pipeline(count > 1, _WIDE)
        most = 4 * (self._samples + 1) * count
        start = max(2 * len(self._sentence), context - (self._samples + 1) * count // 2)
        texts = [self._prompt(start) for _ in range(batch)]
        added = [pipeline.add(text, Decoding(most, None, count - 1)) for text in texts]
        times: list[float] = []
        while len(times) <= self._samples and max(map(len, texts)) < start + most - count:
            full = min(map(len, texts)) > start and all(self._drafts(text, count) == count - 1 for text in texts)
            seconds = _timed(pipeline)
            if full:
                times.append(seconds)
            for number, (_, handle) in enumerate(added):
                while handle.can_read():
                    for output in handle.read().values():
                        texts[number] = np.append(texts[number], output.generated_ids)
        for slot, handle in added:
            handle.cancel()
            pipeline.free(slot)
        pipeline.step()  # the pipeline forgets them
        if len(times) < 2:
            return None
        return Point(count * batch, context, batch, statistics.median(times[1:]), len(times) - 1)  # the first warms up

    def _drafts(self, text: NDArray[np.int64], count: int) -> int:
        return len(prompt_lookup(text, tokens=count - 1, ngram=self._options.ngram))

    def _pipeline(self, drafting: bool, pass_tokens: int) -> DecodingPipeline:
        if (drafting, pass_tokens) not in self._pipelines:
            options = replace(self._options, pass_tokens=pass_tokens)
            self._pipelines[drafting, pass_tokens] = DecodingPipeline(options, drafting=drafting)
        return self._pipelines[drafting, pass_tokens]

    def _prompt(self, tokens: int) -> NDArray[np.int64]:
        """`tokens` ids that begin like no prompt before: nothing of it is in the prefix cache."""
        text = itertools.islice(itertools.cycle(self._sentence), tokens - 1)
        return np.array([next(self._first_ids), *text], dtype=np.int64)


def _timed(pipeline: DecodingPipeline) -> float:
    began = time.perf_counter()
    pipeline.step()
    return time.perf_counter() - began
