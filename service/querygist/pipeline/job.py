"""A request, cleaned and ready to be worked on."""

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from opentelemetry.trace import Span

from querygist.pipeline.alignment import Alignment
from querygist.pipeline.fair_queue import Caller
from querygist.schemas import DocumentFields
from querygist.text.cleaning import CleanDocument, clean_document, clean_query, clean_title
from querygist.text.ranking import Ranking, rank


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

    @cached_property
    def ranking(self) -> Ranking:
        """The units of the document by their words. Takes milliseconds, of a long document more."""
        return rank(self.document, self.query, title=self.title)

    @cached_property
    def alignment(self) -> Alignment:
        """The document's words, to find a summary in. Takes a quarter of a second of the longest document."""
        return Alignment(self.document.text)

    @property
    def extracted_text(self) -> str | None:
        """The text taken from HTML, which sources index; None where they index the document itself."""
        return self.document.source if self.fields.content_type == "text/html" else None
