"""The worked example of a fleet in docs/simulation.md is what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli.exit_codes import ExitCode

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^## A fleet\n(.*?)^## ", re.MULTILINE | re.DOTALL)


def section(page: str) -> str:
    (found,) = SECTION.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    return str(found)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def labels(lines: str) -> list[str]:
    """The begin of each line: what it is about, without its figures and without the reasons of the day."""
    found = []
    for line in lines.splitlines():
        words = re.split(r"\s{2,}|: ", line.strip())
        if words[0] and words[0] != "short":
            found.append(" ".join(words[:2] if line.startswith("  ") else words[:1]))
    return found


def test_the_example_prints_what_the_page_shows_but_for_the_figures(
    trimtab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = section("simulation.md")
    (command,) = blocks(text, "sh")
    (shown,) = blocks(text, "text")
    monkeypatch.chdir(ROOT)
    program, *words = shlex.split(command)
    assert program == "trimtab"
    result = trimtab(*words, "--days", "0.1", "--jobs", "1")  # the rest of it is the same again
    assert result.exit_code == ExitCode.CLEAN, result.output
    printed = labels(result.stdout)
    assert [one for one in labels(shown) if one not in printed] == []
    table = next(line for line in shown.splitlines() if line.startswith("trace"))
    assert table.split() in [line.split() for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("page", "command"), [("simulation.md", "simulate"), ("backtest.md", "backtest")]
)
def test_the_options_that_the_page_names_are_there(trimtab: Any, page: str, command: str) -> None:
    said = trimtab(command, "--help").output
    for option in set(re.findall(r"--[a-z][a-z-]+", section(page))):
        assert option in said, option
