"""Keeps one Triton server alive.

A canary inference tells whether it is: Triton calls a model ready whose process is dead. The whole server is replaced,
because requests in flight then fail at once, where those on a dead model process would hang until their deadlines.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx
import structlog
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from querygist.deadline import Deadline
from querygist.engines.base import GenerationRequest
from querygist.engines.triton import protocol
from querygist.engines.triton.failures import classify
from querygist.engines.triton.protocol import ERRORS, status_of
from querygist.errors import Overloaded
from querygist.triton_server.server_process import HOST, ServerOptions, ServerProcess, running

LOAD_SECONDS = 300.0
"""A server that takes longer to load hangs."""

PROBE_SECONDS = 1.0

LOAD_PROBE_SECONDS = 0.1

CANARY_SECONDS = 3.0
"""A canary that is not answered by then is given up and the next one sent: one that waited at a model process when it
died is never answered, the next fails at once.
"""

METRICS_SECONDS = 1.0

TOKENS_MADE = re.compile(r"^querygist_batcher_generation_tokens_total\{[^}]*\} (\S+)", re.MULTILINE)
"""The CPU model's counter on Triton's metrics page."""

EXIT_NOTICE_SECONDS = 0.1

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 10.0

RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
]

CANARY_ID = "querygist-supervisor"

log = structlog.get_logger("querygist.triton")


@dataclass(frozen=True, slots=True)
class Probe:
    """The canary: a prompt that is the end id, decoded with the server's own lookahead (window, n-gram, set)."""

    end_id: int
    lookahead: tuple[int, int, int]

    async def run(self, client: InferenceServerClient, *, timeout: float) -> None:  # noqa: ASYNC109
        """Have one token generated. Raises one of ERRORS, or TimeoutError after `timeout` seconds of silence."""
        ours_first = Deadline.after(2 * timeout)
        request = GenerationRequest([self.end_id], 1, ours_first, CANARY_ID)
        call = protocol.stream(client, request, end_id=self.end_id, lookahead=self.lookahead)
        try:
            async with asyncio.timeout(timeout):
                final = False
                async for result, error in call:
                    if error is not None:
                        raise error
                    final = protocol.read(result).final
            if not final:
                raise InferenceServerException("the stream ended early", status="StatusCode.INTERNAL")
        except BaseException as error:
            call.cancel()  # not after the end: a stream cancelled too late keeps Triton from unloading the model
            task = asyncio.current_task()
            if isinstance(error, ERRORS) and task is not None and task.cancelling():
                raise asyncio.CancelledError from None  # gRPC swallows a cancellation that meets the call's own end
            raise


class Supervisor:
    """Starts a server, and another one whenever that fails. `stall_seconds`: when a canary is not answered and no
    token is made for so long, the model hangs.
    """

    def __init__(self, options: ServerOptions, canary: Probe, *, stall_seconds: float) -> None:
        self._options = options
        self._address = f"{HOST}:{options.ports.grpc}"
        self._canary = canary
        self._stall_seconds = stall_seconds
        self._server: ServerProcess | None = None
        self._alive_at: float | None = None  # the last moment at which a model was known to work

    async def run(self) -> NoReturn:
        """Supervise until cancelled; then the server is stopped and nothing of it is left."""
        backoff = FIRST_BACKOFF
        try:
            while True:
                started = time.monotonic()
                try:
                    await self._one_life()
                except Exception as error:  # supervision itself must not end
                    log.error("triton_supervision_failed", exc_info=error)
                if time.monotonic() - started > LAST_BACKOFF:
                    backoff = FIRST_BACKOFF
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LAST_BACKOFF)
        finally:
            log.info("triton_stopped")

    def kill(self) -> None:
        """End the server at once, also one that is being stopped."""
        if self._server:
            self._server.kill()

    async def _one_life(self) -> None:
        """Run a server from its start to its failure."""
        try:
            async with running(self._options) as server:
                self._server = server
                log.info("triton_starting", pid=server.pid)
                client = InferenceServerClient(self._address, channel_args=RECONNECT)
                try:
                    await self._attend(server, client)
                finally:
                    await client.close()
        finally:
            self._server = None

    async def _attend(self, server: ServerProcess, client: InferenceServerClient) -> None:
        """Return once the server has failed, killed."""
        started = time.monotonic()
        reason = await _first(self._loading(client), _ended(server))
        if reason is not None:
            log.error("triton_failed", reason=reason, pid=server.pid)
            server.kill()
            return
        now = time.monotonic()
        outage = {} if self._alive_at is None else {"outage_seconds": round(now - self._alive_at, 2)}
        log.info("triton_ready", seconds=round(now - started, 2), grpc=self._address, pid=server.pid, **outage)
        self._alive_at = now
        reason = await _first(self._probing(client), _ended(server))
        with contextlib.suppress(TimeoutError):  # a canary may notice sooner, but an exit code tells more
            async with asyncio.timeout(EXIT_NOTICE_SECONDS):
                reason = await _ended(server)
        log.error("triton_restarting", reason=reason, pid=server.pid)
        server.kill()

    async def _loading(self, client: InferenceServerClient) -> str | None:
        """Wait until a canary succeeds and return None, or return why none will. UNAVAILABLE is what a server says, or
        rather does not say, before its models are loaded.
        """
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                while True:
                    try:
                        await self._canary.run(client, timeout=self._stall_seconds)
                        return None
                    except TimeoutError:
                        return f"the first canary was not answered for {self._stall_seconds:g} s"
                    except ERRORS as error:
                        if status_of(error) != "UNAVAILABLE":
                            return f"the canary failed: {_message(error)}"
                    await asyncio.sleep(LOAD_PROBE_SECONDS)
        except TimeoutError:
            return f"not ready after {LOAD_SECONDS:g} s"

    async def _probing(self, client: InferenceServerClient) -> str:
        """Send canaries; return what is wrong once something is. A canary may wait behind prompts that came before it,
        or be refused for their number: then tokens made for them prove the model. (Requests answered do not: those
        that somebody cancelled are among them.)
        """
        made, alive_at = await self._tokens_made(0), time.monotonic()
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            alive = False
            try:
                await self._canary.run(client, timeout=min(self._stall_seconds, CANARY_SECONDS))
                alive = True
            except TimeoutError:
                pass
            except ERRORS as error:
                if not isinstance(classify(error, self._address).error, Overloaded):
                    return f"the canary failed: {_message(error)}"
            before, made = made, await self._tokens_made(made)
            if alive or made != before:
                self._alive_at = alive_at = time.monotonic()
            elif time.monotonic() - alive_at >= self._stall_seconds:
                return f"no token was made for {self._stall_seconds:g} s"

    async def _tokens_made(self, otherwise: float) -> float:
        """Return the tokens the model has made since the server's start; `otherwise` when the server does not say."""
        try:
            async with httpx.AsyncClient(timeout=METRICS_SECONDS, trust_env=False) as client:
                page = (await client.get(f"http://{HOST}:{self._options.ports.metrics}/metrics")).text
        except httpx.HTTPError:
            return otherwise
        match = TOKENS_MADE.search(page)
        return float(match[1]) if match else otherwise


async def _first(*coroutines: Coroutine[Any, Any, str | None]) -> str | None:
    """The result of whichever ends first; the other ones are cancelled."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ended(server: ServerProcess) -> str:
    return f"the server ended with exit code {await server.exit_code()}"


def _message(error: Exception) -> str:
    text = error.message() if isinstance(error, InferenceServerException) else error.details()  # type: ignore[attr-defined]
    return f"{status_of(error)} {text}"
