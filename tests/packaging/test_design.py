"""docs/design.md says which package may import which, and `make imports` holds the code against the same list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import omni_ray

REPOSITORY = Path(omni_ray.__file__).parents[1]


def test_the_table_of_the_design_is_the_contract() -> None:
    table = (REPOSITORY / "docs/design.md").read_text().partition("| package |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [layer.split(" | ") for layer in layers] == rows
