"""Measuring passes, with a scripted pipeline; the real one is measured by the command."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from loadtest.capacity import cpu_passes
from loadtest.capacity.cpu_passes import Bench
from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.prompt_lookup import prompt_lookup

SENTENCE = list(range(5000, 5020))
OPTIONS = EngineOptions(
    model=Path("none"), end_id=2, precision="int8", threads=0, candidates=5, ngram=3, max_batch=9, pass_tokens=512,
    kv_cache_gb=1,
)  # fmt: skip


@dataclass
class Output:
    generated_ids: list[int]


@dataclass
class Handle:
    """One request: its text grows as the sentence goes on, and now and then by a word that was never read."""

    text: NDArray[np.int64]
    decoding: Decoding
    surprising: bool
    read_tokens: int = 0
    made: int = 0
    ready: list[list[int]] = field(default_factory=list)
    cancelled: bool = False

    def can_read(self) -> bool:
        return bool(self.ready)

    def read(self) -> dict[int, Output]:
        return {0: Output(self.ready.pop(0))} if self.ready else {}

    def cancel(self) -> None:
        self.cancelled = True


class ScriptedLane:
    """A pipeline that reads prompts in pieces and continues them. A pass takes 1 ms a token and 5 ms."""

    clock = 0.0
    made: ClassVar[list["ScriptedLane"]] = []

    def __init__(self, options: EngineOptions, *, drafting: bool) -> None:
        self.options, self.drafting = options, drafting
        self.handles: list[Handle] = []
        self.prompts: list[tuple[int, ...]] = []
        self.freed: list[int] = []
        ScriptedLane.made.append(self)

    def add(self, prompt: NDArray[np.int64], decoding: Decoding) -> tuple[int, Handle]:
        self.handles.append(Handle(prompt, decoding, surprising=len(self.prompts) % 2 == 1))
        self.prompts.append(tuple(prompt.tolist()))
        return len(self.prompts) - 1, self.handles[-1]

    def free(self, slot: int) -> None:
        self.freed.append(slot)

    def step(self) -> None:
        self.handles = [one for one in self.handles if not one.cancelled and one.made < one.decoding.max_new_tokens]
        tokens = sum(self._advance(one) for one in self.handles)
        ScriptedLane.clock += 0.005 + 0.001 * tokens

    def _advance(self, one: Handle) -> int:
        if not one.made:
            piece = min(self.options.pass_tokens, len(one.text) - one.read_tokens)
            one.read_tokens += piece
            if one.read_tokens == len(one.text):
                self._emit(one, 1)
            return piece
        drafts = prompt_lookup(one.text, tokens=one.decoding.candidates, ngram=OPTIONS.ngram) if self.drafting else ()
        self._emit(one, len(drafts) + 1)
        return len(drafts) + 1

    def _emit(self, one: Handle, count: int) -> None:
        ids = [SENTENCE[(len(one.text) - 1 + number) % len(SENTENCE)] for number in range(count)]
        if one.surprising and one.made % 7 == 3:
            ids[-1] = 40_000 + len(one.text)
        one.text = np.append(one.text, ids)
        one.made += count
        one.ready.append(ids)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    ScriptedLane.made, ScriptedLane.clock = [], 0.0
    monkeypatch.setattr(cpu_passes, "DecodingPipeline", ScriptedLane)
    monkeypatch.setattr("time.perf_counter", lambda: ScriptedLane.clock)
    return Bench(OPTIONS, SENTENCE, samples=3)


def test_prompts_are_read_in_the_pass_that_is_timed(bench: Bench) -> None:
    points = list(bench.prompt_points([16, 64], [0, 64]))
    assert [(point.tokens, point.context) for point in points] == [(16, 0), (64, 0), (16, 64), (64, 64)]
    for point in points:
        assert point.seconds == pytest.approx(0.005 + 0.001 * point.tokens)
        assert point.samples == 3


def test_a_piece_longer_than_a_context_is_left_out(bench: Bench) -> None:
    assert [(point.tokens, point.context) for point in bench.prompt_points([16, 64], [32])] == [(16, 32)]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_only_passes_in_which_all_had_their_candidates_count(bench: Bench, batch: int) -> None:
    points = list(bench.decode_points([1, 6], [batch], [100]))
    assert [(point.tokens, point.sequences) for point in points] == [(batch, batch), (6 * batch, batch)]
    for point in points:
        assert point.seconds == pytest.approx(0.005 + 0.001 * point.tokens)
        assert point.samples == 3
        assert point.context == 100


def test_no_two_prompts_begin_alike_and_all_slots_are_given_back(bench: Bench) -> None:
    list(bench.prompt_points([16], [0]))
    list(bench.decode_points([1, 6], [2], [50]))
    prompts: Sequence[tuple[int, ...]] = [prompt for pipeline in ScriptedLane.made for prompt in pipeline.prompts]
    assert len({prompt[0] for prompt in prompts}) == len(prompts) == 4 + 2 * 2
    for pipeline in ScriptedLane.made:
        assert sorted(pipeline.freed) == list(range(len(pipeline.prompts)))


def test_a_point_without_candidates_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def always_new(self: ScriptedLane, one: Handle, count: int) -> None:
        one.text = np.append(one.text, 40_000 + len(one.text))
        one.made += 1
        one.ready.append([int(one.text[-1])])

    monkeypatch.setattr(ScriptedLane, "_emit", always_new)
    assert list(bench.decode_points([6], [1], [100])) == []
