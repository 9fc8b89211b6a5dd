"""The documentation against the code: tables, links, names of files."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import loadtest.__main__
import training.__main__
from querygist import cli, reference
from tests.conftest import REPOSITORY

FRONT = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
PAGES = [*FRONT, *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
PACKAGE = REPOSITORY / "service/querygist"
COMMANDS = {"querygist": cli.app, "-m loadtest": loadtest.__main__.app, "-m training": training.__main__.app}
FOLDERS = ("service", "loadtest", "training", "tests", "model_repository", "docs", "deploy")


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text()


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def commands_of(app: typer.Typer) -> set[str]:
    """Return what may follow the program's name: `serve`, and of a group `model` also `model fetch`."""
    names: set[str] = set()
    for name, command in typer.main.get_group(app).commands.items():
        names |= {name, *(f"{name} {one}" for one in getattr(command, "commands", ()))}
    return names


def modules_in_architecture() -> Iterator[str]:
    folder = ""
    for line in text_of("ARCHITECTURE.md").split("## Files", 1)[1].split("```")[1].splitlines():
        if found := re.match(r"(\S+/) ", line):
            folder = found[1].removeprefix("./")
        yield from (folder + name for name in re.findall(r"\w+\.py\b", line))


@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- table:" in text_of(page)])
def test_generated_tables_match_the_code(page: str) -> None:
    assert reference.rewrite(text_of(page)) == text_of(page), "run `python -m querygist.reference docs`"


def test_every_table_stands_in_one_page() -> None:
    named = re.findall(r"<!-- table: (\w+) -->", "".join(map(text_of, PAGES)))
    assert sorted(named) == sorted(reference.TABLES)


def test_a_table_that_was_edited_is_made_anew() -> None:
    page = "before\n<!-- table: settings -->\nstale\n<!-- end -->\nafter\n"
    made = reference.rewrite(page)
    assert "stale" not in made
    assert made.startswith("before\n")
    assert made.endswith("<!-- end -->\nafter\n")
    assert "| `QUERYGIST_PORT` | `8000` | 0 to 65535 |" in made


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]*)\)", text_of(page)):
        path, _, heading = target.partition("#")
        found = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert found.exists(), f"{page} links to {target}"
        assert not heading or heading in anchors(found), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_are_named_exist(page: str) -> None:
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w/.-]+)`", text_of(page)):
        assert (REPOSITORY / path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("program", COMMANDS)
def test_commands_that_are_named_exist(program: str) -> None:
    code = "\n".join(found for page in PAGES for found in re.findall(r"```.*?```|`[^`]+`", text_of(page), re.DOTALL))
    named = set(re.findall(rf"(?<![\w/:.=-]){re.escape(program)} ((?:model |engine )?[a-z][a-z-]+)", code))
    assert named
    assert named <= commands_of(COMMANDS[program])


def test_make_targets_that_are_named_exist() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", "\n".join(map(text_of, PAGES)), re.MULTILINE))
    assert named <= set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_fill_in(page: str) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", text_of(page), flags=re.DOTALL)
    assert not re.findall(r"\b(?:TODO|FIXME|XXX)\b", text)


def test_architecture_names_every_module_and_no_other() -> None:
    paths = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert sorted(modules_in_architecture()) == sorted(paths)


@pytest.mark.parametrize("top", ["training", "loadtest", "deploy", "tests"])
def test_architecture_names_every_folder_of(top: str) -> None:
    block = re.search(rf"^{top}/ (.+(?:\n +.+)*)$", text_of("ARCHITECTURE.md"), re.MULTILINE)
    assert block is not None
    folders = {path.relative_to(REPOSITORY / top).parts[0] for path in (REPOSITORY / top).glob("*/**/*.*")}
    assert set(re.findall(r"\b(\w+)/", block[1])) == folders - {"__pycache__"}
    files = {path.name for path in (REPOSITORY / top).rglob("*.py")}
    assert set(re.findall(r"\b\w+\.py\b", block[1])) <= files


@pytest.mark.parametrize(("page", "limit"), [("README.md", 10_240), ("ARCHITECTURE.md", 5_700)])
def test_a_front_page_stays_short(page: str, limit: int) -> None:
    assert len(text_of(page)) <= limit


def test_the_gateway_loads_neither_torch_nor_openvino() -> None:
    """The engine's libraries belong to its own process: they cost memory and start-up time."""
    code = (
        "import sys, querygist.cli, querygist.api.server, querygist.api.app, querygist.engine_factory; "
        "print([m for m in ('torch', 'transformers', 'openvino', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"
