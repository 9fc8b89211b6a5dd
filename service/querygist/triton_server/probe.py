"""One token from the model, asked for as the gateway asks: what tells that a Triton server works."""

import asyncio
from dataclasses import dataclass

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from querygist.deadline import Deadline
from querygist.engines.base import GenerationRequest
from querygist.engines.triton import protocol as wire

REQUEST_ID = "querygist-supervisor"


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask: a prompt that is the end id, decoded with the server's own lookahead (window, n-gram, set)."""

    end_id: int
    lookahead: tuple[int, int, int]

    async def run(self, client: InferenceServerClient, *, timeout: float) -> None:  # noqa: ASYNC109
        """Have one token generated. Raises one of wire.ERRORS, or TimeoutError after `timeout` seconds of silence."""
        ours_first = Deadline.after(2 * timeout)
        request = GenerationRequest([self.end_id], 1, ours_first, REQUEST_ID)
        call = wire.stream(client, request, end_id=self.end_id, lookahead=self.lookahead)
        try:
            async with asyncio.timeout(timeout):
                final = False
                async for result, error in call:
                    if error is not None:
                        raise error
                    final = wire.read(result).final
            if not final:
                raise InferenceServerException("the stream ended early", status="StatusCode.INTERNAL")
        except BaseException:
            call.cancel()  # not after the end: a stream cancelled too late keeps Triton from unloading the model
            raise
