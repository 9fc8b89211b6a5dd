"""Headers that say what a browser may do with an answer."""

from starlette.datastructures import MutableHeaders

NO_PAGE = "default-src 'none'; frame-ancestors 'none'"

DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI is started by a script in its page, and writes styles into it."""


def harden(headers: MutableHeaders, path: str) -> None:
    """Add them to the headers of the answer at `path`; the demo page has a Content-Security-Policy of its own."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Content-Security-Policy", DOCS if path == "/docs" else NO_PAGE)
    if headers.get("content-type", "").startswith("text/html"):
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
