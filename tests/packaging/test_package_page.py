"""The page that a package index shows: it has nothing but text, since what lies beside it in the repository is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_it_links_to_nothing_that_only_the_repository_has() -> None:
    page = (REPOSITORY / PROJECT["readme"]).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)", page)
    assert all(address.startswith("https://") for pair in links for address in pair if address)


def test_no_address_is_claimed_for_the_project() -> None:
    assert "urls" not in PROJECT
