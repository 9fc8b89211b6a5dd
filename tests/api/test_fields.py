"""Fields that say the same in another way are taken, and nothing else is."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from querygist.engines.fake import FakeEngine
from tests.api.test_contract import BODY, problem_of
from tests.conftest import Serve


@pytest.fixture
async def client(fake: FakeEngine, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(fake) as client:
        yield client


OPTIONAL = dict.fromkeys(("title", "content_type", "max_words", "stream", "style", "fallback"))


@pytest.mark.parametrize(
    "fields",
    [
        OPTIONAL,
        {"max_words": 40.0},
        {"content_type": "text/html; charset=utf-8"},
        {"content_type": "Text/Plain;charset=x"},
    ],
)
async def test_what_says_the_same_is_taken(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    response = await client.post("/summarize", json=BODY | fields)
    assert response.status_code == 200, response.text
    line = await client.post(
        "/summarize/batch",
        json={
            "query": BODY["query"],
            "documents": [{"id": "1", "document": BODY["document"]} | without_stream(fields)],
        },
    )
    assert line.json()["answer"]["summary"] == response.json()["summary"]


def without_stream(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "stream"}


@pytest.mark.parametrize(
    "fields",
    [
        {"query": None},
        {"document": None},
        {"nothing": None},
        {"max_words": "40"},
        {"max_words": 40.5},
        {"max_words": True},
        {"max_words": float("inf")},
        {"max_words": float("nan")},
        {"content_type": "text/htmlx"},
        {"content_type": 5},
        {"stream": 1},
        {"stream": 0.0},
    ],
    ids=str,
)
async def test_what_does_not_is_refused(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    response = await client.post(
        "/summarize", content=json.dumps(BODY | fields), headers={"Content-Type": "application/json"}
    )
    problem = problem_of(response, 422, "invalid-fields")
    assert [error["field"] for error in problem["errors"]] == list(fields)
