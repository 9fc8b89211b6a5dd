"""Ask the service in both styles, and check that all it answers is the page's own words, where it says they stand.

PYTHONPATH=service:. python docs/results/quote/verbatim.py ROWS.jsonl ...   rows: `query`, `document`; or `request`
"""

import asyncio
import json
import sys
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from rich.progress import track

from querygist import settings
from querygist.api.app import create_app
from querygist.deadline import Deadline
from querygist.engine_factory import create_engine
from querygist.errors import QuerygistError
from querygist.evaluation import report_files
from querygist.local import until_loaded
from querygist.prompting.templates import BEST, LABEL
from querygist.schemas import Answer, SummarizeRequest
from querygist.text.cleaning import FENCE_CLOSE, FENCE_OPEN, clean_document
from tests.verbatim import is_quoted

ANSWERS, AT_ONCE, SECONDS = 1_000, 8, 60


def requests(paths: list[str]) -> list[dict[str, Any]]:
    """Return the rows as requests of clean documents, so that citations count in what is sent."""
    found = []
    for line in chain.from_iterable(Path(path).read_text().splitlines() for path in paths):
        row = json.loads(line)
        fields = row.get("request", row)
        if not isinstance(fields, dict) or not {"query", "document"} <= fields.keys():
            continue
        kept = {
            key: fields[key] for key in ("query", "document", "content_type", "max_words", "title") if key in fields
        }
        if kept.get("content_type", "text/plain") == "text/plain":
            kept["document"] = clean_document(kept["document"], content_type="text/plain").text
        found.append(kept)
    return found[:: max(1, len(found) // ANSWERS)][:ANSWERS]


def fault(answer: Answer, document: str) -> str:
    """Return what is wrong with an answer, "" for nothing."""
    if any(mark in answer.summary and mark not in (answer.text or document) for mark in (FENCE_OPEN, FENCE_CLOSE)):
        return "fence"
    if LABEL in answer.summary or BEST in answer.summary:
        return "label"
    if answer.summary and not is_quoted(answer, document):
        return "not the page's words"
    texts = [answer.summary[one.summary.start : one.summary.end] for one in answer.citations]
    return "twice" if len(set(texts)) < len(texts) else ""


async def main(paths: list[str]) -> None:
    """Ask, check, and write verbatim.md and verbatim.json beside this file."""
    chosen = settings.load(cache_mb=0)
    engine, tokenizer = create_engine(chosen)
    app = create_app(chosen, engine, tokenizer)
    kinds: Counter[tuple[str, str]] = Counter()
    faults: Counter[tuple[str, str]] = Counter()
    asked = [{**fields, "style": style} for fields in requests(paths) for style in ("quote", "write")]
    async with app.router.lifespan_context(app):
        await until_loaded(engine)
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(fields: dict[str, Any]) -> None:
            async with places:
                try:
                    request = SummarizeRequest(**fields)
                    summarizer = app.state.gateway.summarizer
                    answer = await summarizer.answer(request.query, request, Deadline.after(SECONDS))
                except (QuerygistError, ValueError) as error:
                    kinds[fields["style"], f"refused: {type(error).__name__}"] += 1
                    return
            kind = answer.reason or answer.method if answer.answerable else "no answer"
            kinds[fields["style"], kind] += 1
            if found := fault(answer, fields["document"]):
                faults[fields["style"], found] += 1
                sys.stderr.write(f"{found}: {answer.summary!r} of {fields['query']!r}\n")

        tasks = [asyncio.create_task(ask(fields)) for fields in asked]
        for task in track(asyncio.as_completed(tasks), total=len(tasks), description="answers"):
            await task
    rows = [(style, kind, count) for (style, kind), count in sorted(kinds.items())]
    wrong = [(style, kind, count) for (style, kind), count in sorted(faults.items())] or [("both", "none", 0)]
    report_files.write(
        Path(__file__).parent,
        "verbatim",
        sections=[
            f"# {len(asked):,} answers, and what of them is not the page's own words\n\n"
            "An answer is right when each citation is exact slices of the page, joined by nothing but a blank, `; `, "
            "` … ` or a header and `: `; when no label or fence stands in it, and nothing twice.\n\n"
            "    PYTHONPATH=service:. python docs/results/quote/verbatim.py ROWS.jsonl ...",
            report_files.table(("style", "answer", "count"), rows),
            report_files.table(("style", "fault", "count"), wrong),
        ],
        data={"answers": rows, "faults": wrong},
    )


asyncio.run(main(sys.argv[1:]))
