"""Regions of a page: what is its subject and what stands around it."""

from querygist.text.html.groups import Stream
from querygist.text.outline import Draft, Scope

_MAIN_SHARE = 0.5


def _words(stream: Stream) -> int:
    return sum(len(text.split()) for entry in stream if isinstance(entry, Draft) for text in _texts(entry))


def _texts(draft: Draft) -> list[str]:
    return [part.text for part in draft.parts] if draft.parts else [draft.text]


def _region(stream: Stream, kind: Scope) -> tuple[int, int] | None:
    """Places where the page's one <main> or <article> begins and ends in the stream."""
    found = None
    opened: list[int] = []
    for place, entry in enumerate(stream):
        if entry is Scope.CLOSE:
            begin = opened.pop()
            if stream[begin] is kind:
                if found:
                    return None
                found = begin, place
        elif isinstance(entry, Scope):
            opened.append(place)
    return found


def mark_surroundings(stream: Stream) -> None:
    """Mark what stands outside of the one <main> or <article>, when at least half of the text is inside."""
    words = _words(stream)
    for kind in (Scope.MAIN, Scope.ARTICLE):
        region = _region(stream, kind)
        if region and _words(stream[slice(*region)]) >= _MAIN_SHARE * words:
            for entry in [*stream[: region[0]], *stream[region[1] :]]:
                if isinstance(entry, Draft) and entry.kind != "heading":
                    entry.boilerplate = True
            break
