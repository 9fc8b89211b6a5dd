"""The prompt of one request, within the model's window. Training, evaluation and serving build it here."""

from dataclasses import dataclass

from querygist.prompting import passages, sentence_markers, templates
from querygist.prompting.sentence_markers import Marked
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.ranking import Ranking

_CHARS_PER_TOKEN = 8
"""A document longer than so many characters for each token of the prompt is not tried as a whole: it will not fit."""

_QUERY_SHARE, _TITLE_SHARE = 6, 8
"""The query and the title get at most one token in so many of the prompt; the query stands there twice."""


@dataclass(frozen=True, slots=True)
class Window:
    """Prompt token ids, the marked text that they hold of the document, and whether that is a part of it only."""

    ids: list[int]
    marked: Marked
    truncated: bool


def fit(
    tokenizer: Tokenizer,
    ranking: Ranking,
    *,
    prompt_version: str,
    prompt_limit: int,
    query: str,
    title: str | None,
    max_words: int,
) -> Window:
    """Render and encode the prompt; a document that does not fit is reduced to passages. `prompt_limit` in tokens.

    Texts must have come through `querygist.text.cleaning`. A title that is too long loses its end, a query as well,
    unless it ends in a question: then its beginning.
    """
    part = passages.end if query.endswith("?") else passages.beginning
    query = part(query, prompt_limit // _QUERY_SHARE, tokenizer.count_each)
    title = passages.beginning(title, prompt_limit // _TITLE_SHARE, tokenizer.count_each) if title else None

    def encode(marked: Marked) -> list[int]:
        labelled = sentence_markers.document(prompt_version, marked)
        segments = templates.render(prompt_version, query=query, title=title, document=labelled, max_words=max_words)
        return templates.encode(tokenizer, segments)

    everything = [place for place, unit in enumerate(ranking.units) if not unit.boilerplate]
    if len(ranking.text) <= prompt_limit * _CHARS_PER_TOKEN:
        whole = sentence_markers.mark(ranking, everything)
        ids = encode(whole)
        if len(ids) <= prompt_limit:
            return Window(ids, whole, truncated=False)
    budget = prompt_limit - len(encode(Marked("", ())))
    while True:
        places = passages.select(ranking, budget=budget, count=tokenizer.count_each)
        if places:
            marked = sentence_markers.mark(ranking, places)
        else:
            best = ranking.units[ranking.order[0] if ranking.order else 0]
            text = ranking.text[best.start : best.end]
            marked = Marked(passages.beginning(text, budget, tokenizer.count_each), ())
        ids = encode(marked)
        if len(ids) <= prompt_limit:
            return Window(ids, marked, len(places) < len(everything))
        # Labels come on top, three tokens a unit. Fewer units have fewer: no need to make room for all of them.
        budget -= max(1, min(len(ids) - prompt_limit, budget // 4))
