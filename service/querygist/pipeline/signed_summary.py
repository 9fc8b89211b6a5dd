"""Summaries as bytes for a store that others may write to: signed, and checked when they come back."""

import hashlib
import hmac

from pydantic import TypeAdapter, ValidationError

from querygist.pipeline.summary import Summary
from querygist.schemas import MAX_DOCUMENT

_LONGEST = 4 * MAX_DOCUMENT  # of a text that was extracted from HTML, generously

_summaries = TypeAdapter(Summary)


class SummarySigner:
    """Signs with HMAC-SHA256 over the name a summary is kept under and its JSON; the signature comes first."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def name(self, key: bytes) -> str:
        """Return the name to keep the summary of `key` under: without the secret nobody can tell what was asked."""
        return hmac.digest(self._secret, key, "sha256").hex()

    def sign(self, name: str, summary: Summary) -> bytes:
        """Return the bytes to keep under `name`."""
        content = _summaries.dump_json(summary)
        return self._signature(name, content) + content

    def read(self, name: str, value: bytes) -> Summary | None:
        """Return the summary that was signed for `name`; None when these bytes are none."""
        size = hashlib.sha256().digest_size
        signature, content = value[:size], value[size:]
        if not hmac.compare_digest(signature, self._signature(name, content)):
            return None
        try:
            summary = _summaries.validate_json(content)
        except ValidationError:  # another release's
            return None
        return summary if _plausible(summary) else None

    def _signature(self, name: str, content: bytes) -> bytes:
        return hmac.digest(self._secret, name.encode() + b"\0" + content, "sha256")


def _plausible(summary: Summary) -> bool:
    """Return whether every number is one that an answer can carry."""
    shares = (summary.copied, 0.0 if summary.score is None else summary.score)
    return (
        len(summary.text) <= _LONGEST
        and all(0 <= share <= 1 for share in shares)  # nor is it NaN
        and min(summary.prompt_tokens, summary.completion_tokens) >= 0
        and _ordered([(one.start, one.end) for one in summary.citations], len(summary.text))
        and all(_ordered([span], _LONGEST) for one in summary.citations for span in one.sources)
    )


def _ordered(spans: list[tuple[int, int]], length: int) -> bool:
    """Return whether spans lie in [0, length], one after another."""
    places = [place for span in spans for place in span]
    return places == sorted(places) and all(0 <= place <= length for place in places)
