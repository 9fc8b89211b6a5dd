"""Latency at a fixed rate of arrivals, and the verdict against the target.

Open loop: requests leave by a Poisson process of their own (seeded), however slow the server is, and latency counts
from the moment at which a request should have left. A closed loop would slow down with the server and hide its queue
(Schroeder, Wierman, Harchol-Balter, NSDI 2006).
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.gpu.plan import LATE_MS, SEED, SERVED, TARGET_MS, TARGET_RATE, TIMED
from deploy.gpu.steps import Found, StepFailed
from deploy.gpu.triton_client import Answer, Asker
from deploy.gpu.workplace import Workplace
from querygist.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: when it should have left, seconds from the start; how much later it did; its answer, or why none.

    `latency` in seconds from when it should have left.
    """

    due: float
    late: float
    latency: float
    answer: Answer | None
    error: str | None


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Poisson arrivals at `rate` a second: moments in [0, seconds), in order."""
    chance, moments, now = random.Random(seed), [], 0.0  # noqa: S311  no secret
    while (now := now + chance.expovariate(rate)) < seconds:
        moments.append(now)
    return moments


async def open_loop(asker: Asker, prompts: Sequence[Sequence[int]], moments: Sequence[float]) -> list[Sent]:
    """Send a prompt at each of the moments, prompts in turn; every answer is waited for."""
    start = time.monotonic()

    async def one(number: int, due: float) -> Sent:
        late = time.monotonic() - start - due
        answer = error = None
        try:
            answer = await asker.ask(prompts[number % len(prompts)], number)
        except EngineUnavailable as failed:
            error = failed.detail
        return Sent(due, late, time.monotonic() - start - due, answer, error)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, due in enumerate(moments):
            await asyncio.sleep(max(0.0, start + due - time.monotonic()))
            tasks.append(group.create_task(one(number, due)))
    return [task.result() for task in tasks]


def latency(place: Workplace) -> Found:
    """Each engine at each rate."""
    found: Found = {}
    for engine in TIMED:
        found[engine] = place.ask(engine, "latency", lambda asker: _rates(asker, place))
    silent = [
        f"{engine} at {rate} a second: {'; '.join(one['errors'])}"
        for engine, rates in found.items()
        for rate, one in rates.items()
        if not one["answered"]
    ]
    if silent:
        raise StepFailed(f"no request was answered by {', and by '.join(silent)}", found)
    return found


async def _rates(asker: Asker, place: Workplace) -> Found:
    shuffled = list(place.prompts)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311  no secret
    found: Found = {}
    for rate in place.plan.rates:
        moments = arrivals(rate, place.plan.warm_up_seconds + place.plan.seconds, SEED)
        sent = await open_loop(asker, shuffled, moments)
        found[f"{rate:g}"] = summary([one for one in sent if one.due >= place.plan.warm_up_seconds], place.plan.seconds)
    return found


def summary(sent: Sequence[Sent], seconds: float) -> Found:
    """Requests of `seconds`, in milliseconds; latencies of those that were answered. None where none was."""
    told = [one.answer for one in sent if one.answer is not None]
    milliseconds = [1000 * one.latency for one in sent if one.answer is not None]
    drafted, accepted = sum(one.drafted for one in told), sum(one.accepted for one in told)
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99)).tolist() if milliseconds else (None, None, None)
    return {
        "sent": len(sent),
        "answered": len(told),
        "failed": len(sent) - len(told),
        "errors": sorted({one.error[:200] for one in sent if one.error})[:5],
        "answered_per_second": len(told) / seconds,
        "mean_ms": _mean(milliseconds),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "server_mean_ms": _mean([1000 * one.server_seconds for one in told]),
        "queue_mean_ms": _mean([1000 * one.queue_seconds for one in told]),
        "tokens_mean": _mean([len(one.ids) for one in told]),
        "drafted": drafted,
        "accepted": accepted,
        "acceptance_rate": accepted / drafted if drafted else None,
        "acceptance_rate_mean": _mean([one.acceptance_rate for one in told]),
        "client_late_p99_ms": float(np.percentile([1000 * one.late for one in sent] or [0.0], 99)),
    }


def target(place: Workplace, measured: Found) -> Found:
    """The served engine at the target rate: in time on average, nothing lost, and measured by a fast client."""
    at = f"{TARGET_RATE:g}" if TARGET_RATE in place.plan.rates else f"{place.plan.rates[-1]:g}"
    one = measured[SERVED][at]
    met = [
        f"{engine} at {rate} a second ({other['mean_ms']:.1f} ms)"
        for engine, rates in measured.items()
        for rate, other in rates.items()
        if not other["failed"] and (other["mean_ms"] or TARGET_MS) < TARGET_MS
    ]
    found = {"rate": float(at), "mean_ms": one["mean_ms"], "target_ms": TARGET_MS, "met_by": met}
    wrong = []
    if one["mean_ms"] is None or one["mean_ms"] >= TARGET_MS:
        wrong.append("nothing answered" if one["mean_ms"] is None else f"{one['mean_ms']:.1f} ms on average")
    if one["failed"]:
        wrong.append(f"{one['failed']} of {one['sent']} requests failed: {'; '.join(one['errors'])}")
    if float(at) < TARGET_RATE:
        wrong.append(f"{TARGET_RATE:g} a second were not tried")
    if one["client_late_p99_ms"] > LATE_MS:
        wrong.append(f"the client itself was {one['client_late_p99_ms']:.1f} ms late (p99), which proves nothing")
    if wrong:
        raise StepFailed(
            f"{SERVED} at {at} requests a second: {'; '.join(wrong)}; the target is {TARGET_MS:g} ms at "
            f"{TARGET_RATE:g} a second",
            found,
        )
    return found


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
