"""Lines, and server-sent events, out of chunks of bytes as they come from a socket. No I/O, for any kind of client."""


class Lines:
    """Lines that end with a line feed, and with nothing else that Unicode calls a line's end, wherever the chunks were
    cut: inside of a line, or of a character.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes, without their ends. Raises UnicodeDecodeError."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line.removesuffix(b"\r").decode() for line in lines]


class Events:
    """Server-sent events, after https://html.spec.whatwg.org/multipage/server-sent-events.html."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events that this chunk completes: each one's name ("message" when it has none) and data."""
        events = []
        for line in self._lines.feed(chunk):
            field, _, value = line.partition(":")
            if field == "event":
                self._name = value.removeprefix(" ")
            elif field == "data":
                self._data.append(value.removeprefix(" "))
            elif not line and self._data:
                events.append((self._name or "message", "\n".join(self._data)))
            if not line:
                self._name, self._data = "", []
        return events
