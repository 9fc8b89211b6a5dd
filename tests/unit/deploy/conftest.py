"""The context of an acceptance without a container: every engine answers by a function from prompt ids to ids."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.gpu.context import AcceptanceContext, Plan
from deploy.gpu.triton_client import Generation
from querygist.engines.base import Identity
from querygist.evaluation.rows import prompts
from querygist.prompting.tokenizer import Tokenizer
from querygist.trtllm.container import IMAGE, Container
from tests.conftest import WEIGHTS

Reply = Callable[[Sequence[int]], Sequence[int]]
ScriptEngines = Callable[..., None]


def generation(ids: Sequence[int] = range(10), *, drafted: int = 39, accepted: int = 5) -> Generation:
    return Generation(tuple(ids), 0.001, 0.018, drafted, accepted, accepted / max(1, drafted))


@pytest.fixture
def context(tmp_path: Path, identity: Identity, tokenizer: Tokenizer, rows: list[dict[str, str]]) -> AcceptanceContext:
    """Three rows, one rate."""
    plan = Plan(hf=tmp_path / "hf", out=tmp_path / "out", rows=Path("rows.jsonl"), weights=WEIGHTS, rates=(150.0,))
    container = Container(IMAGE, [tmp_path])
    return AcceptanceContext(plan, container, identity, tokenizer, rows[:3], prompts(rows[:3], tokenizer, identity))


@pytest.fixture
def script_engines(monkeypatch: pytest.MonkeyPatch) -> ScriptEngines:
    """`script_engines(lookahead=reply, plain=reply)`: what the client of each engine answers."""

    class Client:
        def __init__(self, reply: Reply) -> None:
            self.reply = reply

        async def generate_together(self, prompts: Sequence[Sequence[int]]) -> list[Generation]:
            return [generation(self.reply(ids)) for ids in prompts]

        async def generate_one_by_one(self, prompts: Sequence[Sequence[int]], *_: object) -> list[Generation]:
            return await self.generate_together(prompts)

    def script(**engines: Reply) -> None:
        def with_client(self: AcceptanceContext, engine: str, step: str, work: Any) -> Any:
            return asyncio.run(work(Client(engines[engine])))

        monkeypatch.setattr(AcceptanceContext, "with_client", with_client)

    return script
