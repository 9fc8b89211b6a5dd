"""The scheduler behind a decoupled model of Triton's python backend.

`execute` only takes requests in; one thread runs the scheduler and sends what it makes; one watches for requests that
were cancelled and passes counts on to Triton's metrics.
"""

import itertools
import json
import os
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import triton_python_backend_utils as pb_utils

from querygist.engines.lookahead import Lookahead
from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.scheduler import Progress, Scheduler, Sink
from querygist.triton_backend.counters import Counts
from querygist.triton_backend.inputs import MAX_SEQ_LEN, InputError, Limits, asks, wants_stop
from querygist.triton_backend.outputs import Reply


class TokenSource(Protocol):
    """A source of tokens: the scheduler, or a script in its place."""

    def submit(self, key: str, ids: tuple[int, ...], decoding: Decoding, sink: Sink) -> None:
        """See Scheduler.submit."""

    def cancel(self, key: str) -> None:
        """See Scheduler.cancel."""

    def stop(self) -> None:
        """See Scheduler.stop."""

    def run(self) -> None:
        """See Scheduler.run."""


class _Request:
    """One Triton request and the keys of its prompts that are not yet answered.

    Once the final response is sent nothing may be asked of the sender: the server has freed what it stands for, and
    crashes. So the thread that sends and the thread that asks take turns.
    """

    def __init__(self, sender: Any, request_id: str, keys: Iterable[str]) -> None:
        self.id = request_id
        self.open = set(keys)
        self._sender = sender
        self._lock = threading.Lock()
        self._ended = False

    def send(self, response: Any) -> None:
        """Send a response: the final one when no key is open."""
        with self._lock:
            self._ended = not self.open
            self._sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if self._ended else 0)

    def cancelled(self) -> bool:
        """Return True if the client has cancelled, and the final response was not sent."""
        with self._lock:
            return not self._ended and bool(self._sender.is_cancelled())


class TritonModel:
    """The calls that Triton makes. The model file derives `TritonPythonModel` from it."""

    def make_source(self, parameters: dict[str, str]) -> TokenSource:
        """Return the scheduler, its model loaded. Raises RuntimeError from OpenVINO when it cannot."""
        options = json.loads(parameters["querygist_engine"])
        return Scheduler(EngineOptions(**options | {"model": Path(options["model"])}))

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model. Triton calls this once, before any request."""
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        identity = json.loads(parameters["querygist_identity"])
        self._lookahead = Lookahead(*(int(parameters[name]) for name in Lookahead.INPUTS))
        self._exclude_input = parameters["exclude_input_in_output"] == "true"
        self._limits = Limits(
            prompt=identity["prompt_limit"],
            sequence=MAX_SEQ_LEN,
            vocabulary=identity["vocabulary_size"],
        )
        self._requests: dict[str, _Request] = {}  # by prompt key
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._counts = Counts(args["model_name"], args["model_version"])
        self._source = self.make_source(parameters)
        self._stopping = threading.Event()
        self._period = int(parameters["cancellation_check_period_ms"]) / 1000
        self._threads = [
            threading.Thread(target=self._run, name="scheduler"),
            threading.Thread(target=self._watch, name="watch"),
        ]
        for thread in self._threads:
            thread.start()

    def execute(self, requests: list[Any]) -> None:
        """Take requests in; answers follow through their response senders."""
        for request in requests:
            tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            sender = request.get_response_sender()
            try:
                if wants_stop(tensors):
                    self._stop_others(request.request_id())
                    sender.send(pb_utils.InferenceResponse([]), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                    continue
                self._take(request, tensors, sender)
            except InputError as error:
                pb_utils.Logger.log_warn(f"request {request.request_id()!r} refused: {error}")
                _refuse(sender, str(error))

    def finalize(self) -> None:
        """Stop. Triton calls this once, when no request is left or its patience has ended."""
        self._stopping.set()
        self._source.stop()
        for thread in self._threads:
            thread.join()

    def _take(self, request: Any, tensors: dict[str, Any], sender: Any) -> None:
        for name in ("output_ids", "sequence_length"):
            if name not in request.requested_output_names():
                raise InputError(f"{name} tensor must be present in list of output tensors")
        wanted = list(asks(tensors, lookahead=self._lookahead, limits=self._limits, exclude_input=self._exclude_input))
        keys = [f"{next(self._numbers)}" for _ in wanted]
        taken = _Request(sender, request.request_id(), keys)
        with self._lock:
            self._requests |= dict.fromkeys(keys, taken)
        for index, (key, ask) in enumerate(zip(keys, wanted, strict=True)):
            reply = Reply(ask, index if len(wanted) > 1 else None)
            self._source.submit(key, ask.ids, ask.decoding, partial(self._send, key, taken, reply))
            self._counts.prompt(len(ask.ids))

    def _send(self, key: str, request: _Request, reply: Reply, progress: Progress) -> None:
        self._counts.progress(progress)
        if progress.finished or progress.error:
            with self._lock:
                del self._requests[key]
            request.open.discard(key)
        if progress.error:
            pb_utils.Logger.log_error(f"request {request.id!r} failed: {progress.error}")
            error = pb_utils.TritonError(
                f"Executor failed process request due to the following error: {progress.error}"
            )
            request.send(pb_utils.InferenceResponse(error=error))
        elif (outputs := reply.add(progress)) is not None:
            tensors = [pb_utils.Tensor(name, values) for name, values in outputs.items()]
            request.send(pb_utils.InferenceResponse(tensors))

    def _stop_others(self, request_id: str) -> None:
        if not request_id:
            raise InputError("stop: Trying to stop a request but request ID is not provided")
        with self._lock:
            keys = [key for key, request in self._requests.items() if request.id == request_id]
        for key in keys:
            self._source.cancel(key)

    def _run(self) -> None:
        """Run the scheduler, in its thread."""
        with _exit_on_error():
            self._source.run()

    def _watch(self) -> None:
        """Cancel prompts whose client has left, in a thread of its own."""
        with _exit_on_error():
            while not self._stopping.wait(self._period):
                with self._lock:
                    requests = list(self._requests.items())
                for key, request in requests:
                    if request.cancelled():
                        self._source.cancel(key)
                self._counts.publish(active=len(requests))


@contextmanager
def _exit_on_error() -> Generator[None, None, None]:
    """End the process if a thread fails: nothing here can answer any more, and no stub is better than a silent one."""
    try:
        yield
    except BaseException as error:
        pb_utils.Logger.log_error(f"the model failed, its process ends itself: {type(error).__name__}: {error}")
        os._exit(1)


def _refuse(sender: Any, message: str) -> None:
    error = pb_utils.TritonError(message)
    sender.send(pb_utils.InferenceResponse(error=error), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
