"""Every error the service raises on purpose.

QuerygistError
├── ConfigurationError        the operator's: the process refuses to start
│   └── ArtifactError         the model artifact is missing, broken or does not match its manifest
├── ReaderUnavailable         the reader died, hangs or refuses: nobody is told, the caller does without it
├── RequestError              the caller's: 4xx
│   ├── InvalidRequest        400  malformed JSON or header
│   ├── Unauthorized          401
│   ├── Forbidden             403
│   ├── RequestTimeout        408
│   ├── TooLarge              413
│   ├── UnsupportedMediaType  415
│   │   └── UnsupportedCoding 415
│   ├── InvalidFields         422  JSON, but not this request
│   ├── UnprocessableText     422  query or document that cannot be summarized
│   └── QuotaExceeded         429
└── ServiceError              ours: 5xx, and what an extractive fallback can stand in for
    ├── Overloaded            503  the queue is full
    ├── NotReady              503  starting or draining
    ├── EngineUnavailable     503  the engine died, hangs or refuses
    └── DeadlineExceeded      504

Elsewhere in the tree: `client.ProblemError`, the client's side of a problem; `triton_backend.inputs.InputError`, a
request that the CPU model in Triton cannot take.

A message is one or two sentences for the person who reads it: what was wrong, with which value, and what to do.
It never quotes the query or the document.
"""

from typing import ClassVar


class QuerygistError(Exception):
    """The root. `detail` is the sentence a user reads."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(QuerygistError):
    """A setting, file or combination that the process cannot run with."""


class ArtifactError(ConfigurationError):
    """The model artifact is missing, damaged or not what its manifest says."""


class ReaderUnavailable(QuerygistError):
    """The reader died, hangs or refuses. No error of a request: words choose instead of it."""


class HttpError(QuerygistError):
    """An error with a place in the HTTP contract: a status, a stable type and a title (RFC 9457)."""

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(
        self, detail: str, *, retry_after: float | None = None, errors: list[dict[str, str]] | None = None
    ) -> None:
        """`retry_after` in seconds, for the header of the same name; `errors`: each bad field and what is wrong."""
        super().__init__(detail)
        self.retry_after = retry_after
        self.errors = errors


class RequestError(HttpError):
    """The caller can mend it."""


class InvalidRequest(RequestError):
    """The request cannot be read."""

    status, slug, title = 400, "invalid-request", "The request cannot be read"


class Unauthorized(RequestError):
    """No API key, where one is required."""

    status, slug, title = 401, "unauthorized", "An API key is required"
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class Forbidden(RequestError):
    """An API key nobody knows."""

    status, slug, title = 403, "forbidden", "This API key is not accepted"


class RequestTimeout(RequestError):
    """A header or a body that does not come in time."""

    status, slug, title = 408, "request-timeout", "The request did not come in time"
    headers: ClassVar = {"Connection": "close"}


class TooLarge(RequestError):
    """A body beyond the limit."""

    status, slug, title = 413, "too-large", "The body is too large"


class UnsupportedMediaType(RequestError):
    """The body is declared to be something else than JSON."""

    status, slug, title = 415, "unsupported-media-type", "The body is not JSON"


class UnsupportedCoding(UnsupportedMediaType):
    """The body has a content coding that is not known here."""

    title = "The body's content coding is not supported"
    headers: ClassVar = {"Accept-Encoding": "gzip, deflate"}


class InvalidFields(RequestError):
    """Fields that are missing, wrong or unknown."""

    status, slug, title = 422, "invalid-fields", "Some fields are missing or wrong"


class UnprocessableText(RequestError):
    """A query or document that cannot be summarized."""

    status, slug, title = 422, "unprocessable-text", "The text cannot be summarized"


class QuotaExceeded(RequestError):
    """A tenant above its rate."""

    status, slug, title = 429, "quota-exceeded", "This tenant's quota is used up"


class ServiceError(HttpError):
    """The service cannot answer with the model now. `reason` labels metrics and logs."""

    reason: ClassVar[str]


class Overloaded(ServiceError):
    """Every place is taken, in flight and in the queue, or the memory for unfinished bodies."""

    status, slug, title, reason = 503, "overloaded", "The service is overloaded", "overload"


class NotReady(ServiceError):
    """Starting up or shutting down."""

    status, slug, title, reason = 503, "not-ready", "The service is not ready", "not_ready"


class EngineUnavailable(ServiceError):
    """The engine died, hangs or refuses."""

    status, slug, title, reason = 503, "engine-unavailable", "The summarization engine is unavailable", "engine"

    def copy(self) -> "EngineUnavailable":
        """The same, as an exception of its own: one that is raised again and again keeps every frame it passed."""
        return EngineUnavailable(self.detail, retry_after=self.retry_after)


class DeadlineExceeded(ServiceError):
    """The deadline passed, or would pass while waiting."""

    status, slug, title, reason = 504, "deadline-exceeded", "The deadline passed", "deadline"
