"""What the real model writes through Triton: in a batch as alone, and as the embedded engine writes it.

pytest tests/contract/test_generation.py
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import pytest

from querygist import artifact, settings
from querygist.deadline import Deadline
from querygist.engine_factory import engine_options
from querygist.engines.base import Chunk, Engine, GenerationRequest, Identity
from querygist.engines.openvino.engine import EmbeddedEngine
from querygist.engines.triton.engine import TritonEngine
from querygist.errors import EngineUnavailable
from querygist.prompting.prompt_builder import fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import clean_document
from querygist.text.ranking import rank
from tests.contract.calls import Raw
from tests.triton_servers import TritonServer

IN_FLIGHT = 64
ALONE = 16
TOKENS = 10
ROWS = 12
PROMPT_LIMIT = 224
"""Shorter than the model's: reading them is most of the work."""


def sentences(rows: list[dict[str, str]], tokenizer: Tokenizer) -> list[list[int]]:
    """Short prompts, all different from each other and from what other tests ask."""
    texts = [" ".join(row["document"].split()[start : start + 12]) for start in (0, 12) for row in rows]
    return [list(tokenizer.encode(f"{number}. {text}")) for number, text in enumerate(texts[:IN_FLIGHT])]


async def test_sixty_four_in_flight_share_passes(
    raw: Raw,
    triton_model_server: TritonServer,
    rows: list[dict[str, str]],
    tokenizer: Tokenizer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompts = sentences(rows, tokenizer)
    assert len(prompts) == IN_FLIGHT

    async def ids_of(prompt: list[int]) -> list[int]:
        found = await raw.ask(prompt, request_output_len=TOKENS, streaming=True)
        return [token for one in found for token in one.ids]

    alone = [await ids_of(prompt) for prompt in prompts[:ALONE]]
    before = await triton_model_server.samples()
    together = await asyncio.gather(*map(ids_of, prompts))
    assert {len(ids) for ids in together} == {TOKENS}

    tokens = "generation_tokens_total"
    async with asyncio.timeout(60):  # the model hands its counts over now and then
        while (after := await triton_model_server.samples())[tokens] < before[tokens] + IN_FLIGHT * TOKENS:
            await asyncio.sleep(0.02)
    summed, passes = (after[name] - before[name] for name in ("request_batch_total", "request_passes_total"))
    differing = sum(one != other for one, other in zip(alone, together, strict=False))
    with capsys.disabled():
        print(f"\n64 in flight: mean batch {summed / passes:.1f}, {differing} of {ALONE} differ from alone (int8)")
    assert summed / passes > 8
    assert differing <= ALONE // 4, "a few rows in a hundred, by the batch's shape; more is a mistake"


@pytest.fixture
async def embedded() -> AsyncGenerator[EmbeddedEngine, None]:
    chosen = settings.load()
    built = artifact.build(chosen)
    engine = EmbeddedEngine(built.identity, engine_options(chosen, built), stall_seconds=60)
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture
async def triton(triton_model_server: TritonServer, identity: Identity) -> AsyncGenerator[TritonEngine, None]:
    engine = TritonEngine(identity, [triton_model_server.address], plain=False, stall_seconds=60)
    await engine.start()
    yield engine
    await engine.close()


async def test_without_candidates_every_pass_makes_one_token(
    triton_model_server: TritonServer, identity: Identity
) -> None:
    engine = TritonEngine(identity, [triton_model_server.address], plain=True, stall_seconds=60)
    await engine.start()
    await until_ready(engine)
    stream = engine.generate(GenerationRequest([5, 6, 5, 6, 5], 6, Deadline.after(60), "plain"))
    chunks = [(len(chunk.ids), chunk.drafted) async for chunk in stream]
    await engine.close()
    assert chunks == [(1, 0)] * len(chunks)


async def until_ready(engine: Engine) -> None:
    late = time.monotonic() + 120
    while True:
        try:
            return await engine.ready()
        except EngineUnavailable:
            if time.monotonic() > late:
                raise
        await asyncio.sleep(0.05)


async def written(engine: Engine, prompts: Sequence[list[int]]) -> list[list[tuple[object, ...]]]:
    """Every pass of every prompt, one prompt at a time; the first has only to fill the prefix cache."""
    await until_ready(engine)
    found = []
    for number, prompt in enumerate(prompts):
        chunks: list[Chunk] = []
        stream = engine.generate(GenerationRequest(prompt, TOKENS, Deadline.after(120), f"row-{number}"))
        async for chunk in stream:
            chunks.append(chunk)
        found.append([(one.ids, one.drafted, one.accepted, one.finished) for one in chunks])
    return found[1:]


async def test_triton_and_the_embedded_engine_write_the_same(
    embedded: EmbeddedEngine, triton: TritonEngine, rows: list[dict[str, str]], tokenizer: Tokenizer
) -> None:
    identity = embedded.identity
    assert identity == triton.identity
    prompts = [
        fit(
            tokenizer,
            rank(clean_document(row["document"], content_type="text/plain"), row["query"]),
            prompt_version=identity.prompt_version,
            prompt_limit=PROMPT_LIMIT,
            query=f"same? {row['query']}",
            title=None,
            max_words=20,
        ).ids
        for row in rows[: ROWS + 1]
    ]
    there, here = await written(triton, prompts), await written(embedded, prompts)
    assert there == here
    assert {passes[-1][-1] for passes in here} <= {"stop", "length"}
    assert sum(accepted for passes in here for _, _, accepted, _ in passes) > 0, "drafts were of use"  # type: ignore[misc]
