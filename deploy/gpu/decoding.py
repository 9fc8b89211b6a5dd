"""What the engines write: that they survive a batch, that lookahead changes nothing, and what FP8 costs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deploy.gpu.plan import FP16, MOST_DIFFERING, MOST_ROUGE2_LOST, PLAIN, SEED, SERVED
from deploy.gpu.steps import Found, StepFailed
from deploy.gpu.triton_client import Answer, Asker
from deploy.gpu.workplace import Workplace
from querygist.deadline import Deadline
from querygist.engines.base import Identity
from querygist.engines.triton.engine import TritonEngine
from querygist.engines.triton.identity import check_reachable
from querygist.engines.triton.protocol import PLAIN as OFF
from querygist.errors import ArtifactError, ConfigurationError, EngineUnavailable
from querygist.evaluation.rouge import NOTHING, difference, interval, score
from querygist.prompting import templates

READY_SECONDS = 60.0


def gateway(place: Workplace) -> Found:
    """The gateway takes both servers as it does at its start, streams from them, and would refuse another model's."""
    stranger = replace(place.identity, adapter_sha256="0" * 64)
    found = {}
    for name in (SERVED, PLAIN):
        with place.served(name, "gateway") as address:
            check_reachable([address], place.identity)
            if (refusal := _refused(address, stranger)) is None or "adapter_sha256" not in refusal:
                raise StepFailed(f"{name} is taken for another adapter's as well: {refusal}", {})
            found[name] = len(asyncio.run(_through_gateway(place, address)))
            if not found[name]:
                raise StepFailed(f"the gateway got no token of {name}", {})
    return {"streamed_tokens": found}


def _refused(address: str, expected: Identity) -> str | None:
    try:
        check_reachable([address], expected)
    except ArtifactError as error:
        return error.detail
    return None


async def _through_gateway(place: Workplace, address: str) -> list[int]:
    engine = TritonEngine(place.identity, [address], plain=False, stall_seconds=READY_SECONDS)
    try:
        await engine.start()
        await _until_ready(engine)
        deadline = Deadline.after(READY_SECONDS)
        stream = engine.generate(
            place.prompts[0], max_new_tokens=place.max_new_tokens, deadline=deadline, request_id="accept-gateway"
        )
        return [token async for chunk in stream for token in chunk.ids]
    finally:
        await engine.close()


async def _until_ready(engine: TritonEngine) -> None:
    late = Deadline.after(READY_SECONDS)
    while True:
        try:
            return await engine.ready()
        except EngineUnavailable as error:
            if late.remaining() <= 0:
                raise StepFailed(f"the gateway takes no requests: {error.detail}", {}) from error
        await asyncio.sleep(0.1)


def smoke(place: Workplace) -> Found:
    """So many requests at once, and one after them: TensorRT-LLM issue #5451 kills the executor at the first draft."""

    async def batches(asker: Asker) -> Found:
        alone = [(await asker.together([ids]))[0] for ids in place.prompts[: max(place.plan.batches)]]
        found: Found = {}
        for size in place.plan.batches:
            chosen = [number % len(alone) for number in range(size)]
            answers = await asker.together([place.prompts[number] for number in chosen])
            _refuse_nothing(answers, place, f"batch {size}")
            same = [answer.ids == alone[number].ids for number, answer in zip(chosen, answers, strict=True)]
            found[f"batch_{size}"] = {"requests": size, "same_as_alone": sum(same) / size}
        _refuse_nothing(await asker.together(place.prompts[:1]), place, "after the batches")
        return found

    return place.ask(SERVED, "smoke", batches)


def _refuse_nothing(answers: Sequence[Answer], place: Workplace, where: str) -> None:
    """No answer is empty, too long, or of ids that the tokenizer does not know."""
    for number, answer in enumerate(answers):
        known = all(0 <= token < place.identity.vocabulary_size for token in answer.ids)
        if not known or not 0 < len(answer.ids) <= place.max_new_tokens:
            raise StepFailed(
                f"{where}: answer {number} of {len(answers)} has {len(answer.ids)} tokens, of which "
                f"{'all are' if known else 'some are not'} in the vocabulary; 1 to {place.max_new_tokens} were wanted",
                {"batch": where},
            )


async def _one_by_one(asker: Asker, place: Workplace, lookahead: tuple[int, int, int] | None = None) -> list[Answer]:
    return [await asker.ask(ids, number, lookahead) for number, ids in enumerate(place.prompts)]


def equality(place: Workplace) -> Found:
    """Greedy answers one by one: with lookahead, with it switched off by the request, and by the engine without."""

    async def both(asker: Asker) -> tuple[list[Answer], list[Answer]]:
        return await _one_by_one(asker, place), await _one_by_one(asker, place, OFF)

    on, off = place.ask(SERVED, "equality", both)
    plain = place.ask(PLAIN, "equality", lambda asker: _one_by_one(asker, place))
    compared = {"switched off": _compare(on, off), "engine without": _compare(on, plain)}
    found = {
        "rows": len(on),
        "most_differing": MOST_DIFFERING,
        "compared": compared,
        "drafted": sum(answer.drafted for answer in on),
        "accepted": sum(answer.accepted for answer in on),
    }
    wrong = [
        f"{one['differing']:.1%} of {len(on)} rows are not those of {name}"
        for name, one in compared.items()
        if one["differing"] > MOST_DIFFERING
    ]
    if wrong:
        raise StepFailed(f"lookahead changes what is written: {'; '.join(wrong)} (at most {MOST_DIFFERING:.0%})", found)
    return found


def _compare(first: Sequence[Answer], second: Sequence[Answer]) -> Found:
    """The share of rows that differ, and at which token each of them begins to."""
    places = [_divergence(a.ids, b.ids) for a, b in zip(first, second, strict=True)]
    differing = {str(number): at for number, at in enumerate(places) if at is not None}
    return {"differing": len(differing) / len(places), "first_differing_token": differing}


def _divergence(first: Sequence[int], second: Sequence[int]) -> int | None:
    if first == second:
        return None
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(first), len(second)))


def quality(place: Workplace) -> Found:
    """ROUGE of the served FP8 engine against that of the FP16 one, on the rows that have a summary."""
    judged = [number for number, row in enumerate(place.rows) if row.get("summary")]
    if not judged:
        raise ConfigurationError(
            f"No row of {place.plan.rows} has a `summary` to compare with. Give test rows: --rows."
        )
    marks = templates.marks_of(place.identity.prompt_version, place.tokenizer)
    scores = {}
    for name in (SERVED, FP16):
        answers = place.ask(name, "rouge", lambda asker: _one_by_one(asker, place))
        texts = [place.tokenizer.decode(marks.text_ids(answers[number].ids, whole=True)).strip() for number in judged]
        summaries = [[place.rows[number]["summary"]] for number in judged]
        scores[name] = [
            NOTHING if text == templates.NO_ANSWER else score(text, summary)
            for text, summary in zip(texts, summaries, strict=True)
        ]
    found: Found = {"rows": len(judged), "most_lost": MOST_ROUGE2_LOST}
    for metric in ("rouge2", "rouge_l"):
        fp8, fp16 = ([getattr(one, metric) for one in scores[name]] for name in (SERVED, FP16))
        lost = difference(fp16, fp8, seed=SEED)
        found[metric] = {
            "fp8": interval(fp8, seed=SEED).mean,
            "fp16": interval(fp16, seed=SEED).mean,
            "lost": lost.mean,
            "lost_95": [lost.low, lost.high],
        }
    if not np.isfinite(found["rouge2"]["lost"]) or found["rouge2"]["lost"] > MOST_ROUGE2_LOST:
        raise StepFailed(
            f"FP8 costs {found['rouge2']['lost']:.2f} points of ROUGE-2 on {len(judged)} rows "
            f"(at most {MOST_ROUGE2_LOST:g})",
            found,
        )
    return found
