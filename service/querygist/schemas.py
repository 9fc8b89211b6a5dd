"""Request and response bodies of the HTTP API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

MAX_QUERY = 2_000
MAX_DOCUMENT = 200_000
MAX_TITLE = 512
MAX_BATCH = 32
MAX_FIELDS = 32

Style = Literal["write", "quote"]

Query = Annotated[
    str, Field(min_length=1, max_length=MAX_QUERY, description="What the searcher asked, 1-2,000 characters")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        """Each unknown field gets a message: do not write a hundred thousand of them."""
        if isinstance(value, dict) and len(value) > MAX_FIELDS:
            raise PydanticCustomError("too_many_fields", "has more fields than any request; see /docs")
        return value


def _whole(value: Any) -> Any:
    """40.0 is an integer to JSON Schema, and so to openapi.json."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _media_type(value: Any) -> Any:
    """Return it without its parameters: the document is text already."""
    return value.partition(";")[0].strip().lower() if isinstance(value, str) else value


class DocumentFields(_Strict):
    """A document and how to summarize it."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: given for name, given in value.items() if given is not None or name not in optional}

    document: Annotated[
        str,
        Field(min_length=1, max_length=MAX_DOCUMENT, description="The page's text or HTML, 1-200,000 characters"),
    ]
    title: Annotated[str | None, Field(max_length=MAX_TITLE, description="The page's title")] = None
    content_type: Annotated[
        Literal["text/plain", "text/html"],
        BeforeValidator(_media_type),
        Field(description="What `document` is; HTML is reduced to its text"),
    ] = "text/plain"
    max_words: Annotated[
        int,
        Field(ge=5, le=120, description="Hard upper bound of the summary's words"),
        BeforeValidator(_whole),
    ] = 60
    style: Annotated[
        Style,
        Field(description="`write`: the model's summary; `quote`: the page's own words, chosen without the model"),
    ] = "write"
    fallback: Annotated[
        Literal["extractive", "none"],
        Field(description="When the model cannot answer in time: the quote, or a 503/504"),
    ] = "extractive"


class SummarizeRequest(DocumentFields):
    """POST /summarize."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "who discovered penicillin",
                    "document": "Penicillin is a group of antibiotics. It was discovered in 1928 by the Scottish "
                    "scientist Alexander Fleming, who noticed mould killing bacteria in a dish.",
                }
            ]
        }
    )

    query: Query
    stream: Annotated[bool, Field(description="Answer as server-sent events: `token`..., then `done` or `error`")] = (
        False
    )


Id = Annotated[str, Field(min_length=1, max_length=128, description="Yours; comes back with the answer")]
BatchId: TypeAdapter[str] = TypeAdapter(Id, config=ConfigDict(strict=True))


class BatchDocument(DocumentFields):
    """One document of a batch."""

    id: Id


class BatchRequest(_Strict):
    """POST /summarize/batch: one results page. Each document is checked by itself; a bad one gets its own problem."""

    query: Query
    documents: Annotated[
        list[Any],
        Field(min_length=1, max_length=MAX_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/BatchDocument"},
                "minItems": 1,
                "maxItems": MAX_BATCH,
            }
        ),
    ]


class Span(_Strict):
    """Characters [start, end) of the submitted document (of `text`, when that is given), in Unicode code points."""

    start: int
    end: int


class TextSpan(_Strict):
    """Characters [start, end) of `summary`, in Unicode code points."""

    start: int
    end: int


class Citation(_Strict):
    """A part of the summary, and the places of the document it rests on."""

    summary: TextSpan
    sources: list[Span]
    support: Annotated[
        Literal["verbatim", "repaired", "paraphrase"],
        Field(
            description="`verbatim`: quoted, or copied by the model; `repaired`: nearly the document's words, and put "
            "back to them; `paraphrase`: the model's own words"
        ),
    ]


class ModelName(_Strict):
    """The model that answered."""

    name: str
    version: str


class Usage(_Strict):
    """Tokens read and written; `truncated`: only the part of the document that matters to the query was read."""

    prompt_tokens: int
    completion_tokens: int
    truncated: bool


class Timings(_Strict):
    """Milliseconds since the request was read."""

    queue: float = Field(description="waited for a place in the engine")
    first_token: float = Field(description="until the first text of the summary")
    total: float = Field(description="until the whole summary")


class Answer(_Strict):
    """The summary, and what it rests on."""

    id: str
    summary: str
    answerable: bool = Field(description="false: the document does not speak to the query; `summary` is empty then")
    score: Annotated[
        float | None,
        Field(ge=0, le=1, description="how likely the document answers, a probability; null when no reader read it"),
    ] = None
    method: Literal["generative", "extractive"]
    reason: Annotated[
        Literal["asked", "overloaded", "deadline", "engine", "checker"] | None,
        Field(
            description="why the answer is extractive: `style` asked for it, the service is overloaded, the deadline "
            "was too near, the engine failed, or the model's text did not stand up to the document; null otherwise"
        ),
    ] = None
    cached: bool
    citations: list[Citation]
    sources: Annotated[list[Span], Field(description="the sources of all citations, in order, none overlapping")]
    copied: float = Field(ge=0, le=1, description="share of the summary's bigrams that stand in the document")
    text: Annotated[
        str | None, Field(description="the text extracted from HTML, which `sources` index; null otherwise")
    ] = None
    model: ModelName
    usage: Usage
    timings_ms: Timings


class Problem(BaseModel):
    """RFC 9457 problem details. `type` is stable."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: Annotated[list[dict[str, str]] | None, Field(description="each bad field and what is wrong with it")] = None


class TokenEvent(_Strict):
    """The data of a `token` event."""

    text: str


class BatchLine(_Strict):
    """One NDJSON line of a batch: the document's id, and its answer or its problem."""

    id: str
    answer: Answer | None = None
    problem: Problem | None = None
