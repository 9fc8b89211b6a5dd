"""Run with."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.cleaning import CleanDocument, clean_document

PROSE = "The council met in the old hall for three hours and agreed that the harbour would be dug out by autumn."


def read(text: str) -> CleanDocument:
    return clean_document(text, content_type="text/plain")


def outline(text: str) -> list[tuple[str, str]]:
    """Kinds and texts of the blocks."""
    document = read(text)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def kinds(text: str) -> str:
    return " ".join(block.kind for block in read(text).blocks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, "paragraph"),
        (f"{PROSE}\n\n{PROSE}", "paragraph paragraph"),
        ("Harbour plans", "paragraph"),
        (f"Harbour plans\n\n{PROSE}", "heading paragraph"),
        (f"{PROSE}\n\nCosts\n\n{PROSE}\n\nA. Lind", "paragraph heading paragraph paragraph"),
        ("What to pack\n\n- tent\n* rope\n• 2 mugs\n\nWe leave at 6 am.", "heading item item item paragraph"),
        (
            "Scones\n\nParts\n\n90 g oats\n\n1 egg\n\nSteps\n\nMix and bake.",
            "heading heading item item heading paragraph",
        ),
        ("Hours\nMon: 9-5\nTue: 9-5\nWed: shut", "heading item item item"),
        ("The hill is steep\n\nThe hill is green\n\nIt hides the town", "item item item"),
        ("Crew\n\nIda Moor, cook\n\nTim Lund, mate", "heading item item"),
        ("The mill was raised by\n1790 beside the old\nford and burned in\n1802. It stood again.", "paragraph"),
        (f"Post:\n2 days\nReturns:\n14 days\n\n{PROSE}", "heading item heading item paragraph"),
        ("# One\n\nText of it.\n\nTwo\n---\n\n> Quoted.", "heading paragraph heading quotation"),
        ("Run:\n\n```sh\nls -l\n\npwd\n```\nDone.", "paragraph code code paragraph"),
        ("Set it:\n\nc = Client(5)\nc.get('/x', wait=3)\n\nThat is all.", "paragraph code code paragraph"),
        ("k,v,w\na,1,2\nb,3,4", "heading row row"),
        ("Year\tSouls\n1790\t812\n1802\t640", "heading row row"),
        ("1. Bees\n\n" + PROSE, "heading paragraph"),
        ("How do I join?\nWrite to us at the desk in the hall.", "heading paragraph"),
        ("这座桥由李明于1931年建成。它长80米。", "paragraph"),
    ],
)
def test_lines_are_read_by_kind(text: str, expected: str) -> None:
    assert kinds(text) == expected


def test_markdown_rows_know_their_columns() -> None:
    document = read("| Part | Price |\n|---|---:|\n| lid | 4 |\n| jug | 9 |")
    cells = [
        [
            (document.text[cell.start : cell.end], cell.header and document.text[slice(*cell.header)])
            for cell in row.cells
        ]
        for row in document.blocks[1:]
    ]
    assert cells == [[("lid", "Part"), ("4", "Price")], [("jug", "Part"), ("9", "Price")]]


def test_markers_are_left_out_and_wrapped_items_whole() -> None:
    text = "You need:\n1. a pan of the\n   large kind\n2) salt\n- [x] oil"
    assert outline(text)[1:] == [("item", "a pan of the\nlarge kind"), ("item", "salt"), ("item", "oil")]
    document = read(text)
    assert {document.text[slice(*block.lead_in)] for block in document.blocks[1:] if block.lead_in} == {"You need:"}


def test_headings_form_a_path() -> None:
    document = read(f"# A\n\n## B\n\n{PROSE}\n\n## C\n\n### D\n\n{PROSE}")
    paths = [[document.text[slice(*span)] for span in block.headings] for block in document.blocks]
    assert paths == [[], ["A"], ["A", "B"], ["A"], ["A", "C"], ["A", "C", "D"]]


@pytest.mark.parametrize(
    "line",
    [
        "We use cookies to make the site better. Accept all",
        "Diese Website verwendet Cookies.",
        "Nous utilisons des cookies pour la mesure.",
        "Utilizamos cookies propias.",
        "Home › Garden › Spades",
        "Share on Facebook",
        "Read more",
        "© 2021 Ida Moor. All rights reserved.",
    ],
)
def test_furniture_is_marked(line: str) -> None:
    document = read(f"{PROSE}\n\n{line}")
    assert [block.boilerplate for block in document.blocks] == [False, True]


@pytest.mark.parametrize(
    "line",
    [
        "The cookies are baked for 9 minutes.",
        "Shares rose by 3 percent.",
        "Read it twice.",
        "You may refuse cookies that we store for longer than a year, in the settings of your browser.",
    ],
)
def test_subjects_are_not_taken_for_furniture(line: str) -> None:
    assert not read(f"{PROSE}\n\n{line}").blocks[-1].boilerplate


MARKERS = re.compile(r"[\W_]*(?:\(?(?:\d{1,3}|[a-zA-Z])[.)]\s+(?:\[[xX ]\]\s+)?)?(?:[`~]{3,}[^\n]*)?[\W_]*")
PIECES = [
    "Heading",
    "A key: value",
    "- item",
    "1. one",
    "2) two",
    "# Mark",
    "===",
    "---",
    "```",
    "```sh",
    "> quote",
    "| a | b |",
    "|---|---|",
    "a,b,c",
    "x\ty",
    "f(x);",
    PROSE,
    "wrapped in the",
    "small start",
    "Ends. Here.",
    "End:",
    "Why?",
    "|",
    "||a",
    "#",
    ">",
    "-",
    "* * *",
    "| |",
    "北京是首都",
    "a   b",
    "[x] y",
    "1.",
    "Accept all cookies",
    "",
    "",
]


@given(
    st.lists(
        st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=12),
        min_size=1,
        max_size=14,
    ).map("\n".join)
)
def test_blocks_of_lines_are_whole_ordered_slices(text: str) -> None:
    document = read(f"word\n{text}")
    position = 0
    for block in document.blocks:
        assert position <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end] == document.text[block.start : block.end].strip()
        assert all(block.start <= cell.start < cell.end <= block.end for cell in block.cells)
        left = document.text[position : block.start]
        assert all(MARKERS.fullmatch(line) for line in left.split("\n")), left
        position = block.end
    assert all(MARKERS.fullmatch(line) for line in document.text[position:].split("\n"))
    spans = {(block.start, block.end) for block in document.blocks if block.kind == "heading"}
    assert all(span in spans and span[0] < block.start for block in document.blocks for span in block.headings)
