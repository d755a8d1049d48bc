"""Every command that any page names exists, with every option that it is given there."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer
from tests.documentation.blocks import ROOT, Kind, blocks_of
from typer.main import get_command

from trimtab.cli.main import COMMANDS, imported

PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("d*/**/*.md"), *ROOT.glob("policies/**/*.md"))
    if page.name != "CHANGELOG.md" and "decisions" not in page.parts
)

_INLINE = re.compile(r"`((?:\.venv/bin/)?trimtab [^`]+)`")
_PROMPT = re.compile(r"(?:^|[;&|(]\s*|\s)(?:\.venv/bin/)?trimtab (?!trimtab )(.*)")
"""Not a container of that name: ``docker exec trimtab trimtab status``."""


@cache
def options_of(command: str) -> frozenset[str]:
    app = typer.Typer(add_completion=False)
    app.command(command)(imported(command))
    parameters = get_command(app).params
    found = {option for one in parameters for option in (*one.opts, *one.secondary_opts)}
    return frozenset(found | {"--help"})


def command_lines(page: Path) -> list[str]:
    """What stands behind ``trimtab`` on each line of a shell block, and between backticks."""
    lines = [
        line
        for block in blocks_of(page)
        if block.kind is Kind.COMMANDS
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    shown = [found[1] for line in lines if (found := _PROMPT.search(line.partition(" #")[0]))]
    text = page.read_text(encoding="utf-8")
    return shown + [found.split("trimtab ", 1)[1] for found in _INLINE.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    for line in command_lines(page):
        words = _words(line)
        if words[0].startswith("-") or not re.fullmatch(r"[a-z-]+", words[0]):
            continue  # `trimtab --help`, `trimtab COMMAND`, a version that was printed
        assert words[0] in COMMANDS, f"{page.name}: `trimtab {line}`: there is no {words[0]}"
        if words[0] == "journal":  # it has commands of its own
            continue
        for word in words[1:]:
            option = word.partition("=")[0].strip("[]")
            if option.startswith("--") and len(option) > 2:
                known = options_of(words[0])
                assert option in known, f"{page.name}: `trimtab {line}`: there is no {option}"


def test_pages_name_commands_at_all() -> None:
    assert sum(len(command_lines(page)) for page in PAGES) > 100


def _words(line: str) -> list[str]:
    before = re.split(r"\s(?:[|&>;]|2>)|[|;)]", line)[0]
    try:
        return shlex.split(before) or ["-"]
    except ValueError:  # a quote that goes on in the next line
        return before.split() or ["-"]
