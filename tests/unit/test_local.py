"""One summary without a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from querygist import settings
from querygist.engines.fake import FakeEngine
from querygist.errors import UnprocessableText
from querygist.local import quote_once
from querygist.schemas import SummarizeRequest
from tests.conftest import REPOSITORY, Serve

HTML = "<h1>Lamp</h1><p>It weighs 2 kg.</p><p>The colour of the lamp is red &amp; blue.</p>"


def request(**fields: str) -> SummarizeRequest:
    return SummarizeRequest.model_validate({"style": "quote", "fallback": "none"} | fields)


async def test_a_quote_neither_builds_nor_fetches_a_model(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    document = "It is a lamp. The lamp weighs 2 kg. It is sold in Graz."
    asked = request(query="what does it weigh", document=document)
    answer = await quote_once(settings.load(cache_dir=cache, reader=False), asked)
    assert "The lamp weighs 2 kg." in answer.summary
    assert (answer.method, answer.reason, answer.usage.completion_tokens) == ("extractive", "asked", 0)
    assert not cache.exists()


async def test_a_quote_is_the_one_that_is_served(serve: Serve, fake: FakeEngine) -> None:
    asked = request(query="which colour", document=HTML, content_type="text/html")
    async with serve(fake) as server:
        served = (await server.post("/summarize", json=asked.model_dump())).json()
    ours = (await quote_once(settings.load(reader=False), asked)).model_dump()
    for answer in (ours, served):
        for name in ("id", "timings_ms"):
            del answer[name]
    assert ours == served
    assert "red & blue" in ours["summary"]


async def test_a_document_without_words_is_refused() -> None:
    with pytest.raises(UnprocessableText):
        await quote_once(settings.load(reader=False), request(query="q", document=" "))


def test_the_command_quotes_without_a_model(tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text("Lamps have been sold in Graz since 1920. The lamp weighs 2 kg.")
    code = (
        "import sys; from querygist.cli import app; "
        "app(sys.argv[1:], standalone_mode=False); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('openvino', 'openvino_genai')])"
    )
    command = ["summarize", "--style", "quote", "--query", "what does the lamp weigh", str(page)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines() == ["The lamp weighs 2 kg.", "[]"]
