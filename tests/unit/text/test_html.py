"""Run with."""

import contextlib
import time

import pytest

from querygist.errors import UnprocessableText
from querygist.text.html import visible_text


def lines(html: str) -> list[str]:
    return [" ".join(line.split()) for line in visible_text(html).split("\n") if line.strip()]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One<p>two &amp; <b>th</b>ree&nbsp;&#x1F600;", ["One", "two & three 😀"]),
        ("plain &lt;text&gt;", ["plain <text>"]),
        ("a<br>b<div>c</div>d<span> e</span>", ["a", "b", "c", "d e"]),
        ("<ul><li>x<li>y</ul><dl><dt>t<dd>d</dl>", ["x", "y", "t", "d"]),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", ["a b", "1 2"]),
        ("<p>wrapped\n   source\tlines</p><pre>kept\n  lines</pre>", ["wrapped source lines", "kept", "lines"]),
        ("<p>it's <a href=x onclick=it's>a link</a>, isn't it</p>", ["it's a link, isn't it"]),
        ("<form><p>inside of a form</p><select><option>no</select><button>no</button></form>", ["inside of a form"]),
    ],
)
def test_text_stands_in_document_order_with_blocks_apart(html: str, expected: list[str]) -> None:
    assert lines(html) == expected


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>if (a < b) no()</script>",
        "<style>no {}</style>",
        "<noscript>no</noscript>",
        "<template><p>no</p></template>",
        "<svg><title>no</title><text>no</text></svg>",
        "<iframe>no</iframe>",
        "<nav><ul><li>no</ul></nav>",
        "<footer>no</footer>",
        "<textarea>no</textarea>",
        "<div hidden>no<p>no</div>",
        "<p hidden>no",
        "<b hidden>no</b>",
        '<div aria-hidden="true">no</div>',
        '<div style="color: red; DISPLAY : none">no</div>',
        "<p style='visibility:hidden'>no</p>",
        "<!-- no --><!no><?no?>",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(unseen: str) -> None:
    page = f"<!doctype html><html><head><title>no</title></head><body><p>before</p>{unseen}<p>after</p></body></html>"
    assert lines(page) == ["before", "after"]


def test_main_or_the_only_article_is_taken_if_it_has_most_text() -> None:
    page = "<body><div>Sidebar</div><{0}><h1>Title</h1><p>A long enough text.</p></{0}><div>More links</div></body>"
    assert lines(page.format("main")) == ["Title", "A long enough text."]
    assert lines(page.format("article")) == ["Title", "A long enough text."]
    small = "<div>The text of the page is mostly here, outside of it.</div><main>Menu</main>"
    assert lines(small) == ["The text of the page is mostly here, outside of it.", "Menu"]
    two = "<article>One of two.</article><article>Two of two.</article><p>x</p>"
    assert lines(two) == ["One of two.", "Two of two.", "x"]


def test_deep_nesting_is_read_without_recursion() -> None:
    assert lines("<div>" * 3_000 + "deep" + "</div>" * 3_000) == ["deep"]
    assert lines("<b>" * 500 + "bold") == ["bold"]


def test_sloppy_markup_is_not_taken_for_an_attack() -> None:
    page = "<div><p>one<p>two<li>three<a name=x><font>four</div></span></b>" * 500
    assert lines(page)[:3] == ["one", "two", "threefour"]
    assert len(lines("<tr><td>cell" * 15_000)) == 1  # cells outside of a table are no cells


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 40_000,
        "<div>" * 18_000 + "</div>" * 18_000,
        "<ul =</ul>" * 20_000,
        "<ul><!--</ul>-->" * 12_500,
        "<ul><xmp></ul></xmp>" * 10_000,
        "<noscript>" + "<ul>" * 45_000,
        "<svg><title>" + "<ul>" * 45_000,
        "<svg><title>" + "<ul <>" * 30_000,
        "<p>" + "".join(f"<b a={i}>" for i in range(8_000)) + "<p>x" * 10_000,
        "<p " + " ".join(f"a{i}" for i in range(30_000)) + ">",
        "".join(f"<body a{i}>" for i in range(15_000)),
        "<a " * 60_000,
        "<x>" * 20_000 + "</y>" * 25_000,
        "<optgroup><option>" * 11_000,
    ],
)
def test_markup_that_keeps_the_parser_busy_is_refused(html: str) -> None:
    """Most of these take lexbor between one second and the memory of the machine."""
    start = time.perf_counter()
    with pytest.raises(UnprocessableText, match="text/plain"):
        visible_text(html)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("piece", ["<", "<!--", "<!", "</", "<a b='", "<script>", "</script", "&", "&#", "]]>", "<p>x"])
def test_broken_markup_is_read_or_refused_in_linear_time(piece: str) -> None:
    start = time.perf_counter()
    with contextlib.suppress(UnprocessableText):
        visible_text(piece * (200_000 // len(piece)))
    assert time.perf_counter() - start < 2.0
