"""Latency at a fixed rate of arrivals, and the verdict against the target.

Open loop: requests leave by a Poisson process of their own (seeded), however slow the server is, and E2EL (end to end
latency) counts from the moment at which a request should have left. A closed loop would slow down with the server and
hide its queue (Schroeder, Wierman, Harchol-Balter, NSDI 2006).
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.gpu.context import AcceptanceContext
from deploy.gpu.criteria import MAX_SEND_LAG_MS, SEED, SERVED, TARGET_MS, TARGET_RATE, TIMED
from deploy.gpu.step_runner import Measured, StepFailed
from deploy.gpu.triton_client import Generation, TritonClient
from querygist.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it was due, seconds from the start; how much later it left; E2EL in seconds from `due`."""

    due: float
    send_lag: float
    e2el: float
    generation: Generation | None
    error: str | None


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return Poisson arrivals at `rate` a second: moments in [0, seconds), in order."""
    chance, moments, now = random.Random(seed), [], 0.0  # noqa: S311  no secret
    while (now := now + chance.expovariate(rate)) < seconds:
        moments.append(now)
    return moments


async def open_loop(client: TritonClient, prompts: Sequence[Sequence[int]], moments: Sequence[float]) -> list[Request]:
    """Send a prompt at each of the moments, prompts in turn, and wait for every answer."""
    start = time.monotonic()

    async def one(number: int, due: float) -> Request:
        send_lag = time.monotonic() - start - due
        generation = error = None
        try:
            generation = await client.generate(prompts[number % len(prompts)], number)
        except EngineUnavailable as failed:
            error = failed.detail
        return Request(due, send_lag, time.monotonic() - start - due, generation, error)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, due in enumerate(moments):
            await asyncio.sleep(max(0.0, start + due - time.monotonic()))
            tasks.append(group.create_task(one(number, due)))
    return [task.result() for task in tasks]


def latency(context: AcceptanceContext) -> Measured:
    """Measure each engine at each rate. Raises StepFailed where nothing is answered."""
    context.latency = {
        engine: context.with_client(engine, "latency", lambda client: _rates(client, context)) for engine in TIMED
    }
    silent = [
        f"{engine} at {rate} a second: {'; '.join(one['errors'])}"
        for engine, rates in context.latency.items()
        for rate, one in rates.items()
        if not one["answered"]
    ]
    if silent:
        raise StepFailed(f"no request was answered by {', and by '.join(silent)}", context.latency)
    return context.latency


async def _rates(client: TritonClient, context: AcceptanceContext) -> Measured:
    plan, prompts = context.plan, list(context.prompts)
    random.Random(SEED).shuffle(prompts)  # noqa: S311  no secret
    measured: Measured = {}
    for rate in plan.rates:
        requests = await open_loop(client, prompts, arrivals(rate, plan.warm_up_seconds + plan.seconds, SEED))
        measured[f"{rate:g}"] = summary([one for one in requests if one.due >= plan.warm_up_seconds])
    return measured


def summary(requests: Sequence[Request]) -> Measured:
    """Summarize requests, in milliseconds; E2EL of those that were answered. None where none was."""
    answered = [one.generation for one in requests if one.generation is not None]
    e2el = [1000 * one.e2el for one in requests if one.generation is not None]
    drafted, accepted = sum(one.drafted for one in answered), sum(one.accepted for one in answered)
    p50, p95, p99 = np.percentile(e2el, (50, 95, 99)).tolist() if e2el else (None, None, None)
    return {
        "sent": len(requests),
        "answered": len(answered),
        "failed": len(requests) - len(answered),
        "errors": sorted({one.error[:200] for one in requests if one.error})[:5],
        "e2el_mean_ms": _mean(e2el),
        "e2el_p50_ms": p50,
        "e2el_p95_ms": p95,
        "e2el_p99_ms": p99,
        "server_mean_ms": _mean([1000 * one.server_seconds for one in answered]),
        "queue_mean_ms": _mean([1000 * one.queue_seconds for one in answered]),
        "tokens_mean": _mean([len(one.ids) for one in answered]),
        "drafted": drafted,
        "accepted": accepted,
        "acceptance_rate": accepted / drafted if drafted else None,
        "acceptance_rate_mean": _mean([one.acceptance_rate for one in answered]),
        "send_lag_p99_ms": float(np.percentile([1000 * one.send_lag for one in requests] or [0.0], 99)),
    }


def target(context: AcceptanceContext) -> Measured:
    """Judge the served engine at the target rate: in time on average, nothing lost, and measured by a fast client."""
    rate = TARGET_RATE if TARGET_RATE in context.plan.rates else max(context.plan.rates)
    served = context.latency[SERVED][f"{rate:g}"]
    mean = served["e2el_mean_ms"]
    wrong = []
    if mean >= TARGET_MS:
        wrong.append(f"{mean:.1f} ms on average")
    if served["failed"]:
        wrong.append(f"{served['failed']} of {served['sent']} requests failed: {'; '.join(served['errors'])}")
    if rate < TARGET_RATE:
        wrong.append(f"{TARGET_RATE:g} a second were not tried")
    if served["send_lag_p99_ms"] > MAX_SEND_LAG_MS:
        wrong.append(f"the client itself was {served['send_lag_p99_ms']:.1f} ms late (p99), which proves nothing")
    measured = {"rate": rate, "e2el_mean_ms": mean, "target_ms": TARGET_MS}
    if wrong:
        raise StepFailed(
            f"{SERVED} at {rate:g} requests a second: {'; '.join(wrong)}; the target is {TARGET_MS:g} ms at "
            f"{TARGET_RATE:g} a second",
            measured,
        )
    return measured


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
