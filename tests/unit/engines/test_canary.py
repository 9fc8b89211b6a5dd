"""Life and rightness of an engine."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from querygist.engines import canary as module
from querygist.engines.base import Chunk, GenerationRequest, KnownAnswer
from querygist.engines.canary import Canary
from querygist.errors import EngineUnavailable

ANY, KNOWN = KnownAnswer((2,)), KnownAnswer((2,), (5, 6))


class Engine:
    """Answers each canary as told: "right", "wrong", "token", "silence" or "death"."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.left = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        assert request.ids == (2,)
        try:
            if answer == "silence":
                await asyncio.Event().wait()
            if answer == "death":
                raise EngineUnavailable("It died.")
            yield Chunk((5,), finished="length" if request.max_new_tokens == 1 else None)
            if request.max_new_tokens > 1:
                yield Chunk((6 if answer == "right" else 7,), finished="length")
        finally:
            self.left += 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANARY_SECONDS", 0.05)


async def test_an_endless_wait_does_not_hide_the_next_canary() -> None:
    engine = Engine("silence", "death")
    with pytest.raises(EngineUnavailable, match="It died"):
        await Canary(engine.generate, ANY, patience=1000).check()
    assert (engine.asked, engine.left) == (2, 2)


async def test_those_before_keep_their_place_in_the_queue() -> None:
    engine = Engine("silence", "silence", "token")
    await Canary(engine.generate, ANY, patience=1000).check()
    assert (engine.asked, engine.left) == (3, 3), "all are closed in the end"


async def test_silence_ends_with_the_patience() -> None:
    engine = Engine("silence")
    with pytest.raises(EngineUnavailable, match=r"silent for 0\.12 s"):
        await Canary(engine.generate, ANY, patience=0.12).check()
    assert engine.asked == engine.left == 3


async def test_somebody_elses_token_is_proof_enough_and_many_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0)
    engine = Engine("right", "silence")
    canary = Canary(engine.generate, KNOWN, patience=1000)
    await canary.check()
    checks = [asyncio.create_task(canary.check()) for _ in range(5)]
    while engine.asked < 2:
        await asyncio.sleep(0)
    canary.record_success()
    await asyncio.gather(*checks)
    assert engine.asked == engine.left == 2


async def test_tokens_prove_nothing_before_the_right_answer() -> None:
    """Neither at first, nor after a wrong answer, nor of an engine that ended."""
    engine = Engine("wrong", "right", "wrong")
    canary = Canary(engine.generate, KNOWN)
    canary.record_success()
    with pytest.raises(EngineUnavailable, match="known to give"):
        await canary.check()
    canary.record_success()
    await canary.check()
    assert engine.asked == 2
    canary.record_success()
    await canary.check()
    assert engine.asked == 2, "now they do"
    canary.reset()
    canary.record_success()
    with pytest.raises(EngineUnavailable, match="known to give"):
        await canary.check()


async def test_an_answer_of_an_engine_that_ended_proves_nothing() -> None:
    """The right answer may be read just after the engine's end was told."""
    ends = True

    async def generate(_: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if ends:
            canary.reset()
        yield Chunk((5, 6), finished="length")

    canary = Canary(generate, KNOWN)
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="ended while"):
            await canary.check()
        canary.record_success()
    ends = False
    await canary.check()


async def test_a_check_that_an_end_overtakes_fails() -> None:
    canary = Canary(Engine("right").generate, KNOWN)
    check = asyncio.create_task(canary.check())
    while canary._last_success is None:
        await asyncio.sleep(0)
    canary.reset()
    with pytest.raises(EngineUnavailable, match="ended while"):
        await check


async def test_closing_ends_one_that_is_out() -> None:
    engine = Engine("silence")
    canary = Canary(engine.generate, ANY, patience=1000)
    check = asyncio.create_task(canary.check())
    while not engine.asked:
        await asyncio.sleep(0)
    await canary.close()
    assert engine.left == engine.asked
    with pytest.raises(asyncio.CancelledError):
        await check
