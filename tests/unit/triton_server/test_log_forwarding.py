"""Triton's log, as the operator reads it."""

import asyncio
import io
import json

import pytest

from querygist.triton_server.log_forwarding import forward

LINES = [
    ('E1122 15:32:59.620760 19944 model_lifecycle.cc:642] "failed to load \'m\': two\\nlines"', "error",
     "failed to load 'm': two\nlines"),
    ('W1122 15:28:11.059840 19313 model.py:6] "careful"', "warning", "careful"),
    ("F1122 15:28:11.059840 19313 pb_stub.cc:1]  not quoted", "critical", "not quoted"),
    ("error: creating server: Internal - failed to load all models", "warning",
     "error: creating server: Internal - failed to load all models"),
]  # fmt: skip

SILENT = [
    'I1122 15:28:11.085227 19313 grpc_server.cc:2558] "Started GRPCInferenceService at 127.0.0.1:9101"',
    'E1122 15:28:10.456997 19313 server.cc:241] "CudaDriverHelper has not been initialized."',
    'W1122 15:28:11.080276 19313 metrics.cc:798] "DCGM unable to start: DCGM initialization error"',
    "Error: Failed to initialize NVML",
    "Signal (15) received.",
    "| tensorrt_llm | 1       | READY  |",
    "+--------------+---------+--------+",
    "",
]


async def forwarded(text: bytes, logged: io.StringIO) -> list[dict[str, str]]:
    reader = asyncio.StreamReader(limit=1000)
    reader.feed_data(text)
    reader.feed_eof()
    await forward(reader)
    return [json.loads(line) for line in logged.getvalue().splitlines()]


@pytest.mark.parametrize(("line", "level", "text"), LINES)
async def test_what_goes_wrong_keeps_its_level(logged: io.StringIO, line: str, level: str, text: str) -> None:
    (event,) = await forwarded(line.encode() + b"\n", logged)
    assert (event["event"], event["level"], event["text"]) == ("triton_log", level, text)


async def test_what_is_in_order_is_not_shown(logged: io.StringIO) -> None:
    assert await forwarded("\n".join(SILENT).encode(), logged) == []


async def test_bytes_that_are_no_text_and_endless_lines_stop_nothing(logged: io.StringIO) -> None:
    events = await forwarded(b"\xff\xfe\n" + b"x" * 5000 + b"\nlast\n", logged)
    assert [event["text"] for event in events] == ["\ufffd\ufffd", "last"]
