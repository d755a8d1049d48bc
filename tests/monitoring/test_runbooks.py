"""Every alert has its page and every page its alert; what a page tells somebody to type, works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.monitoring.bundle import ROOT, RUNBOOKS, reference, rules

from trimtab.cli.main import COMMANDS, build_app

PAGES = sorted(one for one in RUNBOOKS.glob("*.md") if one.name != "README.md")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
HERE = str(ROOT / "policies")
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # the library under typer is its own
INLINE = re.compile(r"`(trimtab [a-z][^`]*)`")


def commands(page: Path) -> Iterator[str]:
    """Every trimtab command on a page that has arguments."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.findall(text):
        for line in block.splitlines():
            if line.startswith("trimtab "):
                yield line
    yield from INLINE.findall(FENCE.sub("", text))


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert [one.stem for one in PAGES] == sorted({rule["alert"] for rule in rules()})


def test_the_first_page_lists_all_with_how_bad_they_are() -> None:
    text = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([a-z, ]+) \|", text, re.MULTILINE))
    severities: dict[str, set[str]] = {}
    for rule in rules():
        severities.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
    assert {name: set(words.split(", ")) for name, words in listed.items()} == severities


def test_every_alert_that_a_document_names_is_one() -> None:
    alerts = {rule["alert"] for rule in rules()}
    named = {
        (str(page.relative_to(ROOT)), name)
        for folder in ("docs", "deploy")
        for page in (ROOT / folder).rglob("*.md")
        for name in re.findall(r"\bTrimtab(?:[A-Z][a-z]+){2,}\b", page.read_text("utf-8"))
    }
    assert len(named) > len(alerts)
    assert [(page, name) for page, name in named if name not in alerts] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_four_headings_and_begins_with_what_to_do_first(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem}\n\n**First:** ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Mitigation",
    ]
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    assert FENCE.search(diagnosis), "what to type"
    assert re.search(r"^trimtab |\$TRIMTAB_URL", diagnosis, re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, RUNBOOKS / "README.md"], ids=lambda page: page.stem)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    wrong = []
    for line in commands(page):
        words = shlex.split(line.replace("…", "x").replace("$POLICIES", HERE), comments=True)
        if words[1] not in COMMANDS:
            wrong.append(line)
            continue
        group: Any = typer.main.get_command(build_app([words[1]]))
        command = group.commands[words[1]]
        known = {option for one in command.params for option in one.opts}
        options = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        if options - known:
            wrong.append(f"{line}: {sorted(options - known)}")
        elif len(words) > 2:
            try:  # arguments of the right number and kind; nothing is run
                command.make_context(words[1], words[2:], resilient_parsing=False)
            except USAGE_ERROR as error:
                wrong.append(f"{line}: {error}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_metric_of_a_page_is_one_that_the_daemon_has(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\btrimtab_[a-z_]+(?<!_)(?![a-z_(])", text))
    assert sorted(one for one in named if one not in reference()) == []


def test_a_page_with_a_command_that_does_not_exist_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "Page.md"
    for line in ('trimtab juornal "$J"', "trimtab overrides --everything", "trimtab pin chat 3"):
        page.write_text(f"```sh\n{line}\n```\n", encoding="utf-8")
        with pytest.raises(AssertionError):
            test_every_command_of_a_page_exists_with_its_options(page)
