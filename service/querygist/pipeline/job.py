"""A request, cleaned and ready to be worked on."""

from dataclasses import dataclass
from functools import cached_property

from opentelemetry.trace import Span

from querygist.deadline import Deadline
from querygist.schemas import DocumentFields
from querygist.text.cleaning import CleanDocument
from querygist.text.quote import Quote, quote_of
from querygist.text.ranking import Ranking, rank


@dataclass(frozen=True)
class Job:
    """`started` on the monotonic clock, seconds; `fields` as the caller sent them, everything else cleaned."""

    id: str
    started: float
    deadline: Deadline
    query: str
    document: CleanDocument
    title: str | None
    fields: DocumentFields
    span: Span

    @cached_property
    def ranking(self) -> Ranking:
        """The units of the document by what they say about the query. Takes milliseconds, of a long document more."""
        return rank(self.document, self.query, title=self.title)

    @cached_property
    def quote(self) -> Quote:
        """The extractive answer."""
        return quote_of(self.ranking, max_words=self.fields.max_words)

    @property
    def extracted_text(self) -> str | None:
        """The text taken from HTML, which sources index; None where they index the document itself."""
        return self.document.source if self.fields.content_type == "text/html" else None
