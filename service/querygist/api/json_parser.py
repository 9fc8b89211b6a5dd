"""A JSON parser for bodies that come in pieces: few values, long strings.

The usual ones hold the event loop too long. `json.loads` makes five million lists of 16 MB in 1.3 to 3 s. ijson's C
backend (yajl) scans a string anew with every piece of it, 19 s for 16 MB of `\\u00e9` in pieces of 64 kB, and makes `?`
of a lone surrogate. msgspec and pydantic-core parse only whole bodies and call a lone surrogate malformed. This parser
takes text as it comes, counts values before they are made, and has `json` decode each string and number. Else it
accepts what `json.loads` accepts, and says the same of what it does not.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import regex

from querygist.errors import InvalidFields, InvalidRequest
from querygist.schemas import MAX_BATCH, MAX_DOCUMENT, MAX_FIELDS

MAX_VALUES = 4 * MAX_BATCH * MAX_FIELDS
MAX_DEPTH = 32
MAX_NUMBER = 5_000

MAX_STRING = 12 * MAX_DOCUMENT
"""Most characters of a string as written: a character beyond the BMP may be written as two escapes of six."""

BACKSLASH = 5.5
"""Most characters that a string is shorter for each of its backslashes: two and ten more may write one."""

TOO_LONG = " " * (MAX_DOCUMENT + 1)
"""Stands for a string of more than that, which is not kept: no field takes so many, and validation tells which."""

# Of `regex` where a group repeats possessively: Python 3.11.2's `re` matches that wrongly.
_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = regex.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', regex.DOTALL)
_WORD = re.compile(r'[^ \t\n\r{}\[\],:"]*')


async def parse(first: str, rest: Callable[[], Awaitable[str]]) -> Any:
    """Return the value. `rest` returns one piece after the other, and "" at the end. Raises InvalidRequest where the
    text is not JSON, or nested too deep, InvalidFields as soon as it has more values than any request.
    """
    parser = _Parser(first, rest)
    value = await parser.value(0)
    if await parser.peek():
        raise parser.malformed("Extra data")
    return value


class _Parser:
    def __init__(self, first: str, rest: Callable[[], Awaitable[str]]) -> None:
        self._rest = rest
        self._text, self._at = first, 0
        self._before = 0
        """Characters of the pieces before this one."""
        self._values = 0

    def malformed(self, what: str, position: int | None = None) -> InvalidRequest:
        position = self._position if position is None else position
        return InvalidRequest(f"The body is not valid JSON: {what} at character {position}.")

    async def peek(self) -> str:
        """Return the next character that is not white space; "" at the end."""
        while True:
            self._at = self._end_of(_SPACE)
            if self._at < len(self._text):
                return self._text[self._at]
            if not await self._more():
                return ""

    async def value(self, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            message = "has more values than any request; see /docs"
            raise InvalidFields(f"body: {message}", errors=[{"field": "body", "message": message}])
        if depth > MAX_DEPTH:
            raise self.malformed("Nested deeper than any request")
        match await self.peek():
            case '"':
                return await self._string()
            case "{":
                return await self._object(depth)
            case "[":
                return await self._array(depth)
        return await self._word()

    async def _object(self, depth: int) -> dict[str, Any]:
        fields = {}
        more = await self._begin("}")
        while more:
            if await self.peek() != '"':
                raise self.malformed("Expecting property name enclosed in double quotes")
            name = await self._string()
            if await self.peek() != ":":
                raise self.malformed("Expecting ':' delimiter")
            self._at += 1
            fields[name] = await self.value(depth + 1)
            more = await self._another("}")
        return fields

    async def _array(self, depth: int) -> list[Any]:
        items = []
        more = await self._begin("]")
        while more:
            items.append(await self.value(depth + 1))
            more = await self._another("]")
        return items

    async def _begin(self, end: str) -> bool:
        """Step in; return True if there is an item."""
        self._at += 1
        empty = await self.peek() == end
        self._at += empty
        return not empty

    async def _another(self, end: str) -> bool:
        """Step over the comma or the end; return True if an item follows."""
        mark = await self.peek()
        if mark not in {end, ","}:
            raise self.malformed("Expecting ',' delimiter")
        self._at += 1
        return mark == ","

    async def _string(self) -> str:
        begin = self._position
        self._at += 1
        parts: list[str] = []
        length, at_least, too_long = 0, 0.0, False
        while True:
            end = self._end_of(_STRING)
            length += end - self._at
            at_least += end - self._at - BACKSLASH * self._text.count("\\", self._at, end)
            too_long = too_long or length > MAX_STRING or at_least > MAX_DOCUMENT
            if too_long:
                parts.clear()
            else:
                parts.append(self._text[self._at : end])
            if self._text.startswith('"', end):
                self._at = end + 1
                break
            backslash = self._text[end:]  # its other half comes with the next piece
            if not await self._more():
                raise self.malformed("Unterminated string starting", begin)
            self._text = backslash + self._text
            self._before -= len(backslash)
        if too_long:
            return TOO_LONG
        try:
            string: str = json.loads(f'"{"".join(parts)}"')
        except json.JSONDecodeError as error:
            raise self.malformed(error.msg.removesuffix(" at"), begin + error.pos) from None
        return string if len(string) <= MAX_DOCUMENT else TOO_LONG

    async def _word(self) -> Any:
        """A number or a name."""
        begin, word = self._position, ""
        while True:
            end = self._end_of(_WORD)
            word += self._text[self._at : end]
            self._at = end
            if len(word) > MAX_NUMBER or end < len(self._text) or not await self._more():
                break
        try:
            return json.loads(word)
        except json.JSONDecodeError:
            raise self.malformed("Expecting value", begin) from None
        except ValueError:
            raise self.malformed("A number of too many digits", begin) from None

    @property
    def _position(self) -> int:
        return self._before + self._at

    def _end_of(self, pattern: "re.Pattern[str] | regex.Pattern[str]") -> int:
        """Return where what matches here ends; each pattern matches nothing, too."""
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at

    async def _more(self) -> bool:
        """Go to the next piece; return False at the end."""
        piece = await self._rest()
        if not piece:
            return False
        self._before += len(self._text)
        self._text, self._at = piece, 0
        return True
