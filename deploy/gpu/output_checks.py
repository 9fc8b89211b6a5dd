"""Steps that check what engines write: through the gateway, in batches, with lookahead and without, FP8 and FP16."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from deploy.gpu.context import MAX_WORDS, AcceptanceContext
from deploy.gpu.criteria import FP16, MAX_DIFFERING, MAX_ROUGE2_LOSS, PLAIN, SEED, SERVED
from deploy.gpu.step_runner import Measured, StepFailed
from deploy.gpu.triton_client import Generation, TritonClient
from querygist import settings
from querygist.engines.triton.identity import check_reachable
from querygist.engines.triton.protocol import PLAIN as NO_LOOKAHEAD
from querygist.errors import ArtifactError, ConfigurationError
from querygist.evaluation.rouge import NOTHING, difference, interval, score
from querygist.local import summarize_once
from querygist.pipeline.generation import completion_of
from querygist.schemas import SummarizeRequest


def gateway(context: AcceptanceContext) -> Measured:
    """Answer by the gateway's own code; it must take both servers, and refuse them as another model's."""
    other_model = replace(context.identity, adapter_sha256="0" * 64)
    row, tokens = context.rows[0], {}
    for name in (SERVED, PLAIN):
        with context.served(name, "gateway") as address:
            gateway_settings = settings.load(
                engine="triton", triton_endpoints=address, weights_dir=context.plan.weights
            )
            request = SummarizeRequest(query=row["query"], document=row["document"], fallback="none")
            tokens[name] = asyncio.run(summarize_once(gateway_settings, request)).usage.completion_tokens
            if not tokens[name]:
                raise StepFailed(f"the gateway got no token of {name}", {})
            try:
                check_reachable([address], other_model)
            except ArtifactError as error:
                if "adapter_sha256" not in error.detail:
                    raise
            else:
                raise StepFailed(f"{name} is taken for another adapter's as well", {})
    return {"completion_tokens": tokens}


def smoke(context: AcceptanceContext) -> Measured:
    """Send batches, and one request after them: TensorRT-LLM issue #5451 kills the executor at the first draft."""

    async def batches(client: TritonClient) -> Measured:
        alone = await client.generate_one_by_one(context.prompts[: max(context.plan.batches)])
        measured: Measured = {}
        for size in context.plan.batches:
            chosen = [number % len(alone) for number in range(size)]
            answers = await client.generate_together([context.prompts[number] for number in chosen])
            _check_answers(answers, context, f"batch {size}")
            same = [answer.ids == alone[number].ids for number, answer in zip(chosen, answers, strict=True)]
            measured[f"batch_{size}"] = {"requests": size, "same_as_alone": sum(same) / size}
        _check_answers(await client.generate_together(context.prompts[:1]), context, "after the batches")
        return measured

    return context.with_client(SERVED, "smoke", batches)


def _check_answers(answers: Sequence[Generation], context: AcceptanceContext, where: str) -> None:
    """Raise StepFailed for an answer that is empty, too long, or of ids that the tokenizer does not know."""
    for number, answer in enumerate(answers):
        known = all(0 <= token < context.identity.vocabulary_size for token in answer.ids)
        if not known or not 0 < len(answer.ids) <= context.max_new_tokens:
            raise StepFailed(
                f"{where}: answer {number} of {len(answers)} has {len(answer.ids)} tokens, "
                f"{'all' if known else 'some not'} in the vocabulary; 1 to {context.max_new_tokens} were wanted",
                {"batch": where},
            )


def equality(context: AcceptanceContext) -> Measured:
    """Compare greedy answers with lookahead to those without: switched off by the request, and by the engine."""

    async def on_and_off(client: TritonClient) -> tuple[list[Generation], list[Generation]]:
        on = await client.generate_one_by_one(context.prompts)
        return on, await client.generate_one_by_one(context.prompts, NO_LOOKAHEAD)

    on, off = context.with_client(SERVED, "equality", on_and_off)
    plain = context.with_client(PLAIN, "equality", lambda client: client.generate_one_by_one(context.prompts))
    compared = {"switched off": _compare(on, off), "engine without": _compare(on, plain)}
    measured = {
        "rows": len(on),
        "max_differing": MAX_DIFFERING,
        "compared": compared,
        "drafted": sum(answer.drafted for answer in on),
        "accepted": sum(answer.accepted for answer in on),
    }
    wrong = [
        f"{one['differing']:.1%} of {len(on)} rows are not those of {name}"
        for name, one in compared.items()
        if one["differing"] > MAX_DIFFERING
    ]
    if wrong:
        raise StepFailed(
            f"lookahead changes what is written: {'; '.join(wrong)} (at most {MAX_DIFFERING:.0%})", measured
        )
    return measured


def _compare(first: Sequence[Generation], second: Sequence[Generation]) -> Measured:
    """Return the share of rows that differ, and the first token at which each of them does."""
    differing = {
        str(number): next(at for at, (a, b) in enumerate(zip_longest(one.ids, other.ids)) if a != b)
        for number, (one, other) in enumerate(zip(first, second, strict=True))
        if one.ids != other.ids
    }
    return {"differing": len(differing) / len(first), "first_differing_token": differing}


def rouge(context: AcceptanceContext) -> Measured:
    """Compare the ROUGE of the served FP8 engine with that of the FP16 one, on the rows that have a summary."""
    judged = [number for number, row in enumerate(context.rows) if row.get("summary")]
    if not judged:
        raise ConfigurationError(
            f"No row of {context.plan.rows} has a `summary` to compare with. Give test rows: --rows."
        )
    references = [[context.rows[number]["summary"]] for number in judged]
    prompts = [context.prompts[number] for number in judged]
    scores = {}
    for name in (SERVED, FP16):
        answers = context.with_client(name, "rouge", lambda client: client.generate_one_by_one(prompts))
        texts = [
            completion_of(answer.ids, context.tokenizer, context.identity, max_words=MAX_WORDS).text
            for answer in answers
        ]
        scores[name] = [score(text, one) if text else NOTHING for text, one in zip(texts, references, strict=True)]
    measured: Measured = {"rows": len(judged), "max_rouge2_loss": MAX_ROUGE2_LOSS}
    for metric in ("rouge2", "rouge_l"):
        fp8, fp16 = ([getattr(one, metric) for one in scores[name]] for name in (SERVED, FP16))
        measured[metric] = {
            "fp8": interval(fp8, seed=SEED).mean,
            "fp16": interval(fp16, seed=SEED).mean,
            "loss": difference(fp16, fp8, seed=SEED),
        }
    loss = measured["rouge2"]["loss"].mean
    if loss > MAX_ROUGE2_LOSS:
        raise StepFailed(
            f"FP8 costs {loss:.2f} points of ROUGE-2 on {len(judged)} rows (at most {MAX_ROUGE2_LOSS:g})", measured
        )
    return measured
