"""The answer by which an engine proves that it computes the shipped model."""

import asyncio
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from querygist import artifact, settings
from querygist.artifact.openvino_ir import FILES
from querygist.engine_factory import engine_options
from querygist.engines.openvino.engine import EmbeddedEngine
from tests.conftest import Serve
from training.export import canary

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_manifests_answer_has_a_wide_margin(precision: str) -> None:
    chosen = settings.load(precision=precision)
    known = artifact.build(chosen).known_answer
    assert known is not None
    assert canary.measure(chosen) == known


async def test_flipped_bits_in_the_loaded_model_are_not_ready(serve: Serve, tmp_path: Path) -> None:
    """The files are hashed at start; this engine is given others behind that check's back."""
    chosen = settings.load()
    built = artifact.build(chosen)
    shutil.copyfile(built.path / FILES[0], tmp_path / FILES[0])
    damaged, middle = bytearray((built.path / FILES[1]).read_bytes()), slice(43_185_627, 43_185_627 + (1 << 16))
    damaged[middle] = random.Random(1).randbytes(1 << 16)  # of the weights; shapes stand there as well
    (tmp_path / FILES[1]).write_bytes(damaged)
    options = replace(engine_options(chosen, built), model=tmp_path)
    engine = EmbeddedEngine(built.identity, options, stall_seconds=60, known=built.known_answer)
    async with serve(engine) as client, asyncio.timeout(60):
        while "known to give" not in (await client.get("/readyz")).text:
            await asyncio.sleep(0.05)
        assert (await client.get("/readyz")).status_code == 503
        body = {"query": "which animal", "document": "An owl is an animal."}
        answer = (await client.post("/summarize", json=body)).json()
        assert (answer["method"], answer["reason"]) == ("extractive", "engine")
