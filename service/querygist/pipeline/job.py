"""A request, cleaned and ready to be worked on."""

from dataclasses import dataclass

from opentelemetry.trace import Span

from querygist.deadline import Deadline
from querygist.schemas import DocumentFields
from querygist.text.cleaning import CleanDocument


@dataclass(frozen=True, slots=True)
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

    @property
    def extracted_text(self) -> str | None:
        """The text taken from HTML, which sources index; None where they index the document itself."""
        return self.document.source if self.fields.content_type == "text/html" else None
