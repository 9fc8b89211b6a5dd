"""The scheduler loop around a scripted pipeline. A prompt's first id names the script it follows."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from openvino_genai import GenerationFinishReason, GenerationStatus

from querygist.engines.openvino import scheduler
from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.scheduler import Progress, Scheduler
from tests.unit.engines.scripted_pipeline import END_ID, Pass, Pipelines, ScriptedPipeline

pytestmark = pytest.mark.timeout(20)  # a lost wake-up would be a loop that never returns

PREFILL: list[Pass] = [(), (), ()]
LENGTH, STOP = GenerationFinishReason.LENGTH, GenerationFinishReason.STOP


class Requests:
    """A scheduler, what its requests have heard so far, and a stop once all have heard their last."""

    def __init__(self, pipelines: Pipelines, *, candidates: int = 0) -> None:
        options = EngineOptions(Path("model"), END_ID, "int8", 0, candidates, 3, 9, 512, 1, True)
        self.scheduler = Scheduler(options)
        self.heard: dict[str, list[Progress]] = {}
        self.pipelines = pipelines

    @property
    def pipeline(self) -> ScriptedPipeline:
        """The only one that is loaded."""
        (pipeline,) = self.pipelines.loaded.values()
        return pipeline

    def submit(
        self, key: str, *prompt: int, candidates: int = 0, min_tokens: int = 0,
        stop_sequences: tuple[tuple[int, ...], ...] = (),
    ) -> None:  # fmt: skip
        self.heard[key] = []
        self.scheduler.submit(
            key, prompt, Decoding(20, END_ID, candidates, min_tokens, stop_sequences), self._sink(key)
        )

    def _sink(self, key: str) -> Callable[[Progress], None]:
        def hear(progress: Progress) -> None:
            assert not self.ended(key), "nothing comes after the last"
            self.heard[key].append(progress)
            if all(map(self.ended, self.heard)):
                self.scheduler.stop()

        return hear

    def ended(self, key: str) -> bool:
        return any(progress.finished or progress.error for progress in self.heard[key])

    def run(self) -> None:
        self.scheduler.run()
        assert not any(pipeline.slots for pipeline in self.pipelines.loaded.values()), "every slot was given back"

    def ids(self, key: str) -> list[int]:
        return [id_ for progress in self.heard[key] for id_ in progress.ids]

    def last(self, key: str) -> Progress:
        return self.heard[key][-1]


MakeRequests = Callable[..., Requests]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> MakeRequests:
    """`requests({7: [(), (1, 2), STOP]}, candidates=5)`: a scheduler whose pipelines follow these scripts."""

    def make(scripts: dict[int, list[Pass]], **options: int) -> Requests:
        pipelines = Pipelines(scripts)
        monkeypatch.setattr(scheduler, "DecodingPipeline", pipelines.load)
        return Requests(pipelines, **options)

    return make


def test_every_pass_reaches_the_sink_of_its_request(requests: MakeRequests) -> None:
    one = requests({7: [*PREFILL, (10,), (11,), LENGTH], 8: [(20,), (21, END_ID)]})
    one.submit("seven", 7)
    one.submit("eight", 8)
    one.run()
    assert one.heard["seven"] == [
        Progress(()), Progress((10,), batch=1), Progress((11,), batch=1), Progress((), batch=1, finished="length"),
    ]  # fmt: skip
    assert one.heard["eight"] == [Progress(()), Progress((20,), batch=1), Progress((21,), batch=1, finished="stop")]


def test_the_batch_counts_requests_that_got_a_token(requests: MakeRequests) -> None:
    one = requests({7: [(10,), STOP], 8: [(20,), STOP], 9: [*PREFILL, (30,), STOP]})
    for key, name in (("seven", 7), ("eight", 8), ("nine", 9)):
        one.submit(key, name)
    one.run()
    assert [progress.batch for progress in one.heard["seven"]] == [0, 2, 2]
    assert [progress.batch for progress in one.heard["nine"]] == [0, 1, 1]


def test_cancel_while_prefilling_ends_that_request_only(requests: MakeRequests) -> None:
    one = requests({7: PREFILL * 100, 8: [*PREFILL, (20,), STOP]})
    one.submit("prefilling", 7)
    one.submit("other", 8)
    one.pipeline.during[2] = lambda: one.scheduler.cancel("prefilling")
    one.run()
    assert one.heard["prefilling"] == [Progress(()), Progress((), finished="cancelled")]
    assert one.pipeline.handles[7].cancels == 1
    assert len(one.pipeline.handles[7].passes) == len(PREFILL * 100) - 2, "the pass under way was its last"
    assert (one.ids("other"), one.last("other").finished) == ([20], "stop")


def test_cancel_before_the_first_pass_costs_no_pass(requests: MakeRequests) -> None:
    one = requests({7: PREFILL * 100})
    one.submit("gone", 7)
    one.scheduler.cancel("gone")
    one.run()
    assert one.heard["gone"] == [Progress(()), Progress((), finished="cancelled")]
    assert one.pipeline.passes == 0


def test_cancel_of_an_unknown_or_finished_key_is_ignored(requests: MakeRequests) -> None:
    one = requests({7: [STOP], 8: [*PREFILL, STOP]})
    one.scheduler.cancel("unknown")
    one.submit("finished", 7)
    one.submit("other", 8)
    one.pipeline.during[2] = lambda: one.scheduler.cancel("finished")
    one.run()
    assert [one.last(key).finished for key in ("finished", "other")] == ["stop", "stop"]
    assert one.pipeline.handles[7].cancels == 0


def test_out_of_memory_is_an_error_of_that_request_only(requests: MakeRequests) -> None:
    one = requests({7: [(10,), GenerationStatus.IGNORED], 8: [*PREFILL, (20,), STOP]})
    one.submit("large", 7)
    one.submit("other", 8)
    one.run()
    assert one.last("large") == Progress((), error="out of memory for keys and values")
    assert (one.ids("other"), one.last("other").finished) == ([20], "stop")


def test_another_end_without_a_last_token_is_named(requests: MakeRequests) -> None:
    one = requests({7: [GenerationStatus.CANCEL]})
    one.submit("odd", 7)
    one.run()
    assert one.last("odd") == Progress((), error="it ended as CANCEL")


def test_a_refused_request_hears_so_and_others_go_on(requests: MakeRequests) -> None:
    one = requests({8: [(20,), STOP]})
    one.submit("refused", 7)
    one.submit("other", 8)
    one.run()
    assert one.heard["refused"] == [Progress((), error="the engine refused the request: RuntimeError")]
    assert one.last("other").finished == "stop"


def test_stop_cancels_what_is_in_flight_and_returns(requests: MakeRequests) -> None:
    one = requests({7: PREFILL * 100, 8: [(20,)] * 100})
    one.submit("prefilling", 7)
    one.submit("decoding", 8)
    one.pipeline.during[3] = one.scheduler.stop
    one.run()
    assert one.last("prefilling").finished == one.last("decoding").finished == "cancelled"
    assert one.pipeline.passes <= 4, "the pass under way, and at most the one after it"
    assert one.ids("decoding") == [20] * one.pipeline.passes, "what was made is delivered"


def test_stop_wakes_an_idle_loop(requests: MakeRequests) -> None:
    one = requests({})
    loop = threading.Thread(target=one.run)
    loop.start()
    one.scheduler.stop()
    loop.join(10)
    assert not loop.is_alive()


def test_submit_from_another_thread_wakes_an_idle_loop(requests: MakeRequests) -> None:
    one = requests({7: [(10,), STOP]})
    loop = threading.Thread(target=one.run)
    loop.start()
    one.submit("late", 7)
    loop.join(10)
    assert not loop.is_alive()
    assert one.ids("late") == [10]


def test_a_failing_pass_ends_the_loop_with_its_error(requests: MakeRequests) -> None:
    one = requests({7: PREFILL * 100})
    one.submit("unlucky", 7)

    def fail() -> None:
        raise RuntimeError("device lost")

    one.pipeline.during[2] = fail
    with pytest.raises(RuntimeError, match="device lost"):
        one.scheduler.run()
    assert not one.ended("unlucky"), "its host hears of the death, and tells"


def test_a_request_joins_between_two_passes(requests: MakeRequests) -> None:
    one = requests({7: [(10,), (11,), STOP], 8: [(20,), STOP]})
    one.submit("first", 7)
    one.pipeline.during[1] = lambda: one.submit("joins", 8)
    one.run()
    assert [progress.batch for progress in one.heard["first"]] == [0, 1, 2, 2]
    assert one.ids("joins") == [20]


def test_a_stop_sequence_across_passes_ends_the_request(requests: MakeRequests) -> None:
    one = requests({5: [(10,), (11, 12), *PREFILL]})
    one.submit("stopped", 5, 10, stop_sequences=((10, 11),))
    one.run()
    assert one.ids("stopped") == [10, 11], "it stays in the output, and nothing follows it"
    assert one.last("stopped").finished == "stop"
    assert one.pipeline.handles[5].cancels == 1


def test_a_stop_sequence_that_begins_in_the_prompt_is_none(requests: MakeRequests) -> None:
    one = requests({5: [(11,), STOP]})
    one.submit("goes on", 5, 10, stop_sequences=((10, 11),))
    one.run()
    assert one.ids("goes on") == [11]


def test_drafts_and_what_of_them_was_accepted_are_counted(requests: MakeRequests) -> None:
    one = requests({1: [(1,), (2, 3, 9), STOP]}, candidates=5)
    one.submit("drafted", 1, 2, 3, 4, candidates=5)
    one.run()
    # The prefill verifies nothing. After 1 2 3 4 | 1 the lookup drafts 2 3 4 1; two of them were accepted.
    assert [(p.drafted, p.accepted) for p in one.heard["drafted"][:3]] == [(0, 0), (0, 0), (4, 2)]


@pytest.mark.parametrize("plain", [{"candidates": 0}, {"candidates": 5, "min_tokens": 3}])
def test_what_drafting_cannot_do_goes_to_a_plain_pipeline(requests: MakeRequests, plain: dict[str, int]) -> None:
    one = requests({7: [(10,), STOP], 8: [(20,), STOP], 9: [(30,), STOP]}, candidates=5)
    one.submit("drafts", 7, candidates=5)
    one.submit("plain", 8, **plain)
    one.submit("again", 9, **plain)
    one.run()
    assert set(one.pipelines.loaded[True].handles) == {7}
    assert set(one.pipelines.loaded[False].handles) == {8, 9}
    assert [one.last(key).finished for key in one.heard] == ["stop"] * 3
