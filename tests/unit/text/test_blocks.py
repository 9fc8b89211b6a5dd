"""Run with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.errors import UnprocessableText
from querygist.text.cleaning import CleanDocument, clean_document


def read(html: str) -> CleanDocument:
    return clean_document(html, content_type="text/html")


def outline(html: str) -> list[tuple[str, str]]:
    document = read(html)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def cells(html: str) -> list[list[tuple[str, str | None]]]:
    document = read(html)
    return [
        [(document.text[c.start : c.end], document.text[slice(*c.header)] if c.header else None) for c in block.cells]
        for block in document.blocks
        if block.kind in ("row", "definition")
    ]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<h1>T</h1><p>Long.</p><ul><li>a<ul><li>b</ul></ul>",
            [("heading", "T"), ("paragraph", "Long."), ("item", "a"), ("item", "b")],
        ),
        (
            "<blockquote>Said.</blockquote><pre>f()\n\n  g()</pre>",
            [("quotation", "Said."), ("code", "f()"), ("code", "g()")],
        ),
        ("<figure><figcaption>A map</figcaption></figure>x", [("caption", "A map"), ("paragraph", "x")]),
        ("<dl><dt>Mass<dd>3 kg</dl>", [("definition", "Mass 3 kg")]),
        ("<dl><dt>Is it wet?<dd>No.</dl>", [("heading", "Is it wet?"), ("paragraph", "No.")]),
        (
            "<p>made in<br>1790 by Ida</p><p>a b<br><br>c d</p>",
            [("paragraph", "made in\n1790 by Ida"), ("paragraph", "a b"), ("paragraph", "c d")],
        ),
        ("<p>Rest: 5 min<br>Bake: 9 min</p>", [("item", "Rest: 5 min"), ("item", "Bake: 9 min")]),
        ("<p><b>Care</b></p><p>Wash it.</p>", [("heading", "Care"), ("paragraph", "Wash it.")]),
        ("<h2>4 GB</h2><h2>Disk</h2><p>Big.</p>", [("item", "4 GB"), ("heading", "Disk"), ("paragraph", "Big.")]),
        (
            "<table><tr><td><h1>T</h1><td><p>a</p><ul><li>b</ul></table>",
            [("heading", "T"), ("paragraph", "a"), ("item", "b")],
        ),
        ("<h1>Only</h1>", [("heading", "Only")]),
    ],
)
def test_elements_are_blocks_of_their_kind(html: str, expected: list[tuple[str, str]]) -> None:
    assert outline(html) == expected


def test_cells_have_the_headers_a_reader_sees() -> None:
    columns = "<tr><th>Year<th>Souls<tr><td>1790<td>812"
    assert cells(f"<table>{columns}</table>") == [[("1790", "Year"), ("812", "Souls")]]
    assert cells("<table><tr><th>Mass<td>3 kg</table>") == [[("Mass", None), ("3 kg", "Mass")]]
    spanned = "<thead><tr><th><th>Old<th>New</thead><tr><th rowspan=2>Day<td>9<td>5<tr><td>8<td>4"
    assert cells(f"<table>{spanned}</table>")[1] == [("8", "Old"), ("4", "New")]
    assert cells("<dl><dt>Mass<dd>3 kg<dd>full</dl>") == [[("3 kg", "Mass"), ("full", "Mass")]]


def test_headings_hold_where_a_reader_takes_them_to() -> None:
    document = read(
        "<h3>Menu</h3><p>x</p><main><h1>T</h1><p>a a a a a</p><details><summary>Q?</summary><p>b</p></details><p>c</p>"
        "<h2>S</h2><ul><li>d</ul></main>"
    )
    paths = {
        document.text[block.start : block.end]: [document.text[slice(*span)] for span in block.headings]
        for block in document.blocks
    }
    assert paths["b"] == ["T", "Q?"]
    assert paths["c"] == ["T"]
    assert paths["d"] == ["T", "S"]
    assert paths["x"] == ["Menu"]


def test_a_line_that_ends_in_a_colon_leads_in() -> None:
    document = read("<p>It is simple. You need:</p><ul><li>a<li>b</ul><p>Go.</p>")
    leads = [block.lead_in and document.text[slice(*block.lead_in)] for block in document.blocks]
    assert leads == [None, "You need:", "You need:", None]


def test_what_surrounds_the_subject_is_marked() -> None:
    document = read("<div>Aside</div><main><h1>T</h1><p>A long enough text.</p></main><footer>4 Mill Road</footer>")
    marked = [document.text[block.start : block.end] for block in document.blocks if block.boilerplate]
    assert marked == ["Aside", "4 Mill Road"]
    assert not any(block.boilerplate for block in read("<p>Most is here, outside.</p><main>Little</main>").blocks)
    assert not any(block.boilerplate for block in read("<footer>All of the page.</footer>").blocks)


TAGS = [
    "h1",
    "h2",
    "p",
    "div",
    "ul",
    "li",
    "table",
    "tr",
    "td",
    "th",
    "dl",
    "dt",
    "dd",
    "pre",
    "b",
    "span",
    "a",
    "sup",
    "sub",
    "details",
    "summary",
    "main",
    "article",
    "blockquote",
    "button",
    "select",
    "option",
    "math",
    "msup",
    "mi",
    "br",
    "q",
    "s",
    "small",
    "figcaption",
    "footer",
    "fieldset",
    "legend",
    "caption",
    "thead",
    "code",
    "ruby",
    "rt",
]
MARKUP = st.lists(
    st.sampled_from(
        [f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS] + ["word", "2", ": ", "?", " ", "\n", "e\u0301"]
    )
    | st.text(st.characters(codec="utf-8"), max_size=6),
    max_size=30,
).map("".join)


@given(MARKUP)
def test_blocks_of_a_page_are_all_of_its_text(html: str) -> None:
    try:
        document = read(f"{html}</table><p>end")
    except UnprocessableText:
        return
    assert document.text == document.source
    position = 0
    for block in document.blocks:
        assert not document.text[position : block.start].strip()
        assert position <= block.start < block.end
        within = block.start
        for cell in block.cells:
            assert within <= cell.start < cell.end <= block.end
            within = cell.end
        position = block.end
    assert position == len(document.text)
    assert clean_document(document.text, content_type="text/plain").text == document.text
