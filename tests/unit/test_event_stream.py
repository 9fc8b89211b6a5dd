"""Lines and server-sent events out of chunks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from querygist.event_stream import Events, Lines

text = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
cuts = st.lists(st.integers(0, 400), max_size=12)


def pieces(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(body), *(place for place in places if place < len(body))})
    return [body[start:end] for start, end in pairwise(ends)]


@given(st.lists(text), cuts)
def test_lines_survive_any_cut(lines: list[str], places: list[int]) -> None:
    body = "".join(line + "\n" for line in lines).encode()
    reader = Lines()
    assert [line for piece in pieces(body, places) for line in reader.feed(piece)] == lines


@given(st.lists(st.tuples(st.sampled_from(["token", "done", ""]), st.lists(text, min_size=1, max_size=3))), cuts)
def test_events_survive_any_cut(wanted: list[tuple[str, list[str]]], places: list[int]) -> None:
    body = "".join(
        (f"event: {name}\n" if name else "") + "".join(f"data: {line}\n" for line in lines) + "\n"
        for name, lines in wanted
    ).encode()
    reader = Events()
    found = [event for piece in pieces(body, places) for event in reader.feed(piece)]
    assert found == [(name or "message", "\n".join(lines)) for name, lines in wanted]


def test_comments_other_fields_and_carriage_returns_are_no_data() -> None:
    body = b": ping\r\nid: 7\r\nevent:token\r\ndata:a\r\ndata: b\r\n\r\nevent: lonely\n\ndata: c\n\ndata: unfinished\n"
    assert Events().feed(body) == [("token", "a\nb"), ("message", "c")]


def test_only_a_line_feed_ends_a_line() -> None:
    assert Lines().feed("one\u2028still one\x0b\nrest".encode()) == ["one\u2028still one\x0b"]
