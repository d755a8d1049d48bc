"""The page that says what shows each promise must name tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
CITED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::([\w:]+))?`", PAGE)))


def names_in(source: str) -> set[str]:
    """Return every test function, as ``name`` or ``Class::name``."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.update(
                f"{node.name}::{one.name}"
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            )
    return found


@pytest.mark.parametrize(("file", "test"), CITED)
def test_what_the_reliability_page_cites_exists(file: str, test: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not test or test in names_in(source)


def test_every_row_of_its_tables_cites_something_that_shows_it() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| fault", "| event"))]
    assert len(promises) > 30
    assert [row for row in promises if not re.search(r"tests/|worlds|make ", row)] == []
