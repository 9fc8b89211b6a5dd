"""pytest tests/unit/text/test_units.py"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from querygist.text.blocks import Block, Cell
from querygist.text.cleaning import CleanDocument
from querygist.text.units import GAP, HEADER, LIST, SPACE, Unit, joined, units, written
from tests.unit.text.page_fixtures import Page, pages

CELLS = ("row", "definition")


def units_of(page: Page | CleanDocument) -> list[Unit]:
    document = page.document if isinstance(page, Page) else page
    return units(document.text, document.blocks)


def lines_of(page: Page | CleanDocument) -> list[str]:
    document = page.document if isinstance(page, Page) else page
    return [written(document.text, unit.slices) for unit in units_of(document)]


def test_a_paragraph_is_its_sentences_and_an_item_is_whole() -> None:
    page = (
        Page().add("paragraph", "Owls hunt. Mice hide.").add("item", "Owls hunt. Mice hide.").add("caption", "An owl")
    )
    assert lines_of(page) == ["Owls hunt.", "Mice hide.", "Owls hunt. Mice hide.", "An owl"]


def test_a_row_says_of_each_cell_which_header_it_has() -> None:
    page = Page().table(["Phone", "Battery", "Price"], ["Pixel", "5,000 mAh", "$599"], ["Nova", "", "$99"])
    assert lines_of(page) == ["Phone: Pixel; Battery: 5,000 mAh; Price: $599", "Phone: Nova; Price: $99"]


def test_cells_without_headers_are_written_as_a_list() -> None:
    text = "Monday 9-17"
    row = Block("row", 0, 11, cells=(Cell(0, 6), Cell(7, 11)))
    assert lines_of(CleanDocument(text, source=text, blocks=(row,))) == ["Monday; 9-17"]


def test_a_definition_is_written_behind_its_term() -> None:
    assert lines_of(Page().definition("Delivery", "Two days.")) == ["Delivery: Two days."]


def test_a_row_that_is_too_long_is_taken_cell_by_cell() -> None:
    page = Page().table(["Name", "Notes"], ["Nova", "word " * 79 + "end"])
    assert lines_of(page) == ["Name: Nova", "Notes: " + "word " * 79 + "end"]


def test_a_long_item_is_taken_sentence_by_sentence() -> None:
    sentences = ["Owls hunt " + "mice and " * 10 + "voles.", "Mice hide " + "and hide " * 10 + "again."]
    assert lines_of(Page().add("item", " ".join(sentences))) == sentences


def test_wrapped_lines_are_one_line_of_exact_slices() -> None:
    text = "A sentence that goes on for longer than fifty characters and is\nwrapped at a line end."
    (unit,) = units_of(Page().add("paragraph", text))
    assert [one.joiner for one in unit.slices] == ["", SPACE]
    assert written(text, unit.slices) == text.replace("\n", " ")


def test_a_line_of_code_is_whole() -> None:
    assert lines_of(Page().add("code", "pip install x.y. Now! # really")) == ["pip install x.y. Now! # really"]


def test_headings_are_units_only_where_nothing_else_is() -> None:
    assert lines_of(Page().heading(1, "Opening hours").add("item", "Daily")) == ["Daily"]
    assert lines_of(Page().heading(1, "Opening hours").heading(2, "Closed")) == ["Opening hours", "Closed"]
    assert lines_of(Page()) == []


def test_headings_and_lead_in_are_a_units_context() -> None:
    page = Page().heading(1, "Pancakes").heading(2, "Ingredients").add("paragraph", "You need:")
    lead_in = (page.end - len("You need:"), page.end)
    page.add("item", "Flour", lead_in=lead_in).heading(2, "Method").add("paragraph", "Mix.")
    text = page.document.text
    headings = [[text[slice(*span)] for span in unit.headings] for unit in units_of(page)]
    assert headings == [["Pancakes", "Ingredients"], ["Pancakes", "Ingredients"], ["Pancakes", "Method"]]
    assert [unit.lead_in for unit in units_of(page)] == [None, lead_in, None]


def test_units_are_joined_by_what_stands_between_them() -> None:
    def line(page: Page, *chosen: int) -> str:
        text = page.document.text
        return written(text, [one for part in joined(text, units_of(page), chosen) for one in part])

    page = Page().add("paragraph", "Owls hunt. Mice hide.").add("item", "Flour").add("item", "Milk").add("item", "Salt")
    assert line(page, 0, 1, 2, 3) == "Owls hunt. Mice hide. Flour; Milk"
    assert line(page, 0, 2, 4) == "Owls hunt. … Flour … Salt"
    assert line(page) == ""
    assert line(Page().add("paragraph", "猫头鹰捕猎。老鼠躲藏。"), 0, 1) == "猫头鹰捕猎。老鼠躲藏。"


@given(pages())
def test_units_follow_one_another_and_leave_no_word_out(page: CleanDocument) -> None:
    found = units_of(page)
    assert all(before.end <= after.start for before, after in pairwise(found))
    bodies = [block for block in page.blocks if block.kind != "heading"] or page.blocks
    told = "".join(page.text[one.start : one.end] for unit in found for one in unit.slices if unit.kind not in CELLS)
    assert "".join(told.split()) == "".join(
        "".join(page.text[block.start : block.end].split()) for block in bodies if not block.cells
    )
    cells = {(cell.start, cell.end) for block in bodies for cell in block.cells}
    assert cells <= {(one.start, one.end) for unit in found for one in unit.slices}
    for unit in found:
        assert all(one.joiner in ("", SPACE, LIST, HEADER) for one in unit.slices)
        assert "\n" not in written(page.text, unit.slices)
        assert all(one.start < one.end for one in unit.slices)


@given(pages(), st.data())
def test_chosen_units_are_joined_from_the_closed_list(page: CleanDocument, data: st.DataObject) -> None:
    found = units_of(page)
    chosen = sorted(data.draw(st.sets(st.sampled_from(range(len(found))))))
    parts = joined(page.text, found, chosen)
    assert [tuple((one.start, one.end) for one in part) for part in parts] == [
        tuple((one.start, one.end) for one in found[place].slices) for place in chosen
    ]
    assert all(part[0].joiner in ("", SPACE, LIST, GAP) for part in parts[1:])
