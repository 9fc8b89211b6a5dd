"""A request, cleaned and ready to be worked on."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, overload

from opentelemetry.trace import Span

from querygist.pipeline.alignment import Alignment
from querygist.pipeline.fair_queue import Caller
from querygist.schemas import DocumentFields
from querygist.text.cleaning import CleanDocument, clean_document, clean_query, clean_title
from querygist.text.ranking import Ranking, rank

T = TypeVar("T")


class _Lazy(Generic[T]):
    """A property that is computed once. Python 3.11's `functools.cached_property` has one lock for all objects: the
    event loop would wait for a thread that works on another document.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, job: None, owner: type) -> Self: ...
    @overload
    def __get__(self, job: object, owner: type) -> T: ...
    def __get__(self, job: object | None, owner: type) -> Self | T:
        if job is None:
            return self
        value = job.__dict__[self._compute.__name__] = self._compute(job)
        return value


@dataclass(frozen=True)
class Job:
    """`started` on the monotonic clock, seconds; `fields` as the caller sent them, everything else cleaned."""

    id: str
    started: float
    caller: Caller
    query: str
    document: CleanDocument
    title: str | None
    fields: DocumentFields
    span: Span

    @classmethod
    def of(cls, query: str, fields: DocumentFields, caller: Caller, *, started: float, span: Span) -> Self:
        """Clean the texts, which takes milliseconds. Raises UnprocessableText."""
        return cls(
            id=uuid.uuid4().hex,
            started=started,
            caller=caller,
            query=clean_query(query),
            document=clean_document(fields.document, content_type=fields.content_type),
            title=clean_title(fields.title) if fields.title else None,
            fields=fields,
            span=span,
        )

    @property
    def size(self) -> int:
        """Characters of the cleaned document."""
        return len(self.document.text)

    @_Lazy
    def ranking(self) -> Ranking:
        """The units of the document by their words. Takes milliseconds, of a long document more."""
        return rank(self.document, self.query, title=self.title)

    @_Lazy
    def alignment(self) -> Alignment:
        """The document's words, to find a summary in. Takes a quarter of a second of the longest document."""
        return Alignment(self.document.text)

    @property
    def extracted_text(self) -> str | None:
        """The text taken from HTML, which sources index; None where they index the document itself."""
        return self.document.source if self.fields.content_type == "text/html" else None
