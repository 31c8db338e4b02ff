"""What holds of the code as a whole: docs/design.md says which package may import which, and nothing is long."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import omni_ray

REPOSITORY = Path(omni_ray.__file__).parents[1]
FILES = sorted((REPOSITORY / "omni_ray").rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE = 50, 450


def test_the_table_of_the_design_is_the_contract() -> None:
    table = (REPOSITORY / "docs/design.md").read_text().partition("| package |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [layer.split(" | ") for layer in layers] == rows


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names and lengths of bodies: without signature and docstring, and functions within by themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            within = sum((each.end_lineno or 0) - each.lineno + 1 for each in body if isinstance(each, ast.FunctionDef))
            if body:
                yield node.name, (node.end_lineno or 0) - body[0].lineno + 1 - within


def test_no_function_and_no_file_is_long() -> None:
    texts = {file.relative_to(REPOSITORY).as_posix(): file.read_text("utf-8") for file in FILES}
    assert [name for name, text in texts.items() if text.count("\n") > LONGEST_FILE] == []
    assert [
        f"{file}: {name}"
        for file, text in texts.items()
        for name, length in functions(ast.parse(text))
        if length > LONGEST_FUNCTION
    ] == []
