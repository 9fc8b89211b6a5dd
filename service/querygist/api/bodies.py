"""A request's body: read by its deadline and within its limit; unpacked, decoded and parsed while it comes in."""

import asyncio
import codecs
import contextlib
import json
import sys
import zlib
from email.message import Message
from typing import Any, ClassVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from querygist.api import json_parser
from querygist.deadline import Deadline
from querygist.errors import InvalidRequest, Overloaded, RequestTimeout, TooLarge, UnsupportedCoding

BODY_BYTES = 3 * 1024 * 1024
BATCH_BODY_BYTES = 16 * 1024 * 1024

UNFINISHED_BYTES = 256 * 1024 * 1024
"""Memory for all bodies of this process that are still coming in."""

PIECE_BYTES = 64 * 1024
"""Most bytes unpacked in one turn of the event loop."""

MAX_CONTENT_TYPE = 256
"""Most characters of a Content-Type: `email` takes the square of its length to read its parameters."""

MARK_BYTES = 4
"""What UTF-32's byte order mark takes."""

MIN_SECONDS = 0.1
"""A body gets as long, whatever the deadline: an answer in time is then the summarizer's task."""

WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's name for each content coding."""

CHARSETS = {
    *("utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le", "ascii"),
    *(f"iso8859-{part}" for part in range(1, 17)),
    *(f"cp125{page}" for page in range(9)),
    *("koi8-r", "koi8-u", "shift_jis", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr"),
}
"""Python's names of what a body may be encoded in. It has more codecs: slow ones, and some that are no charsets."""


class ParsedRequest(Request):
    """A request with its body read and parsed, as FastAPI asks for it."""

    def __init__(self, request: Request, parsed: Any, *, empty: bool) -> None:
        super().__init__(request.scope, request.receive)
        self._parsed, self._empty = parsed, empty

    async def body(self) -> bytes:
        """Something, unless the body is empty: FastAPI looks no closer."""
        return b"" if self._empty else b"parsed"

    async def json(self) -> Any:
        """The parsed body."""
        return self._parsed


async def read(request: Request, deadline: Deadline) -> ParsedRequest:
    """Read the body. Raises RequestError, or ClientDisconnect when the client leaves."""
    body = _Body(request)
    try:
        async with asyncio.timeout(max(MIN_SECONDS, deadline.remaining())):
            first = await body.text()
            parsed = await json_parser.parse(first, body.text) if first else None
    except InvalidRequest as error:
        if body.charset in {None, "utf-8"}:
            raise
        raise InvalidRequest(
            f"{error.detail} It was read as {body.charset}, the charset that its header names."
        ) from None
    except TimeoutError:
        raise RequestTimeout(
            "The whole body did not come before the deadline. Send it faster, or set a longer X-Deadline-Ms."
        ) from None
    finally:
        body.finish()
    return ParsedRequest(request, parsed, empty=not first)


class _Body:
    """Text of a body as it comes in: bytes, unpacked, decoded."""

    unfinished: ClassVar[int] = 0
    """Memory of all that are coming in."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._limit = BATCH_BODY_BYTES if request.scope["path"].endswith("/batch") else BODY_BYTES
        declared = request.headers.get("content-length", "")
        self._within_limit(int(declared) if declared.isdecimal() else 0)
        self.charset = _charset(request.headers.get("content-type", ""))
        self._begin, self._encoding = b"", ""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._unpacker = _unpacker(request.headers.get("content-encoding", "identity").lower())
        self._packed, self._full = b"", False
        self._came = self._unpacked = 0
        self._more = True
        self._kept = 0

    async def text(self) -> str:
        """Return the next piece; "" at the end."""
        text = ""
        while not text and (self._more or self._packed or self._full):
            plain = await self._plain()
            text = self._decode(plain, final=not (self._more or self._packed or self._full))
        self._keep(text)
        return text

    def finish(self) -> None:
        """Release its share of the memory for unfinished bodies."""
        _Body.unfinished -= self._kept
        self._kept = 0

    def _keep(self, text: str) -> None:
        """Count a piece as kept. A body may grow as long as as much is free as it takes itself, so that large ones,
        many of them, leave room for small ones.
        """
        size = sys.getsizeof(text)
        self._kept += size
        _Body.unfinished += size
        if self._kept > UNFINISHED_BYTES - _Body.unfinished:
            raise Overloaded("Bodies that are still coming in take too much memory. Try again.", retry_after=1)

    async def _plain(self) -> bytes:
        """Return the next unpacked bytes; none of them says nothing."""
        if self._packed or self._full:
            await asyncio.sleep(0)
        else:
            self._packed = await self._came_in()
        if self._unpacker is None:
            plain, self._packed = self._packed, b""
            return plain
        try:
            plain = self._unpacker.decompress(self._packed, PIECE_BYTES)
        except zlib.error:
            raise _not_packed() from None
        self._packed, self._full = self._unpacker.unconsumed_tail, len(plain) == PIECE_BYTES
        self._unpacked += len(plain)
        self._within_limit(self._unpacked)
        ended = not (self._more or self._packed or self._full)
        if self._unpacker.unused_data or (ended and not self._unpacker.eof):
            raise _not_packed()
        return plain

    async def _came_in(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        body: bytes = message.get("body", b"")
        self._came += len(body)
        self._within_limit(self._came)
        return body

    def _within_limit(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge("A body may be 3 MB for /summarize and 16 MB for /summarize/batch. Send less text.")

    def _decode(self, plain: bytes, *, final: bool) -> str:
        if self._decoder is None:
            self._begin += plain
            if len(self._begin) < MARK_BYTES and not final:
                return ""
            plain, self._encoding = self._begin, _detected(self._begin, self.charset)
            self._decoder = codecs.getincrementaldecoder(self._encoding)()
        try:
            return self._decoder.decode(plain, final)
        except UnicodeError:
            encoding = self._encoding.upper().removesuffix("-SIG")
            raise InvalidRequest(f"The body is not valid {encoding}. Send UTF-8, or name its charset.") from None


def _charset(content_type: str) -> str | None:
    """Return Python's name of the charset that a Content-Type names. Raises InvalidRequest for one not known here."""
    if len(content_type) > MAX_CONTENT_TYPE:
        raise InvalidRequest(
            f"Content-Type has {len(content_type)} characters of at most {MAX_CONTENT_TYPE}. Send `application/json`."
        )
    message = Message()
    message["content-type"] = content_type
    named: object = "invalid"
    with contextlib.suppress(LookupError, ValueError):
        named = message.get_param("charset")
        if named is None:
            return None
        charset = codecs.lookup(str(named)).name
        if charset in CHARSETS:
            return charset
    raise InvalidRequest(f"The body's charset is {str(named)[:64]!r}, which is not known here. Send UTF-8.")


def _detected(begin: bytes, charset: str | None) -> str:
    """Return the charset, or what the first bytes say of it: a byte order mark, the zeros of UTF-16 and UTF-32."""
    detected = json.detect_encoding(begin)
    return detected if charset is None or detected.startswith(charset) else charset


def _unpacker(coding: str) -> "zlib._Decompress | None":
    if coding == "identity":
        return None
    if coding not in WINDOW_BITS:
        raise UnsupportedCoding(
            f"The body's Content-Encoding is {coding[:64]!r}. Send it plain, as gzip or as deflate."
        )
    return zlib.decompressobj(WINDOW_BITS[coding])


def _not_packed() -> InvalidRequest:
    return InvalidRequest("The body cannot be unpacked: it is not, or not whole, what its Content-Encoding says.")
