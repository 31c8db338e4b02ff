"""The guides say what their commands print, the reference what the code says, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.generated import PAGES
from tests.docs.made import GUIDES
from tests.docs.transcripts import DOCS, commands, steady


@pytest.mark.slow
@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_says_what_its_commands_print(name: str, tmp_path: Path) -> None:
    GUIDES[name](tmp_path)
    for command in commands((DOCS / "guides" / name).read_text("utf-8")):
        code, printed = command.run(tmp_path)
        assert steady(printed) == steady(command.printed or ""), command.words
        assert code == ("falls short" in printed), command.words


def test_every_guide_is_tried_and_listed() -> None:
    assert {file.name for file in (DOCS / "guides").glob("*.md")} == set(GUIDES)


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_says_what_the_code_says(name: str) -> None:
    assert (DOCS / "reference" / name).read_text("utf-8") == PAGES[name](), "python -m tests.docs.generated writes it"


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), DOCS.parent / "README.md"], ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link
