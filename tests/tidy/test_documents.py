"""Documents agree with the code and with each other."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]

CHECKS = {
    "docs/reference": ["docs/generate.py", "--check"],
    "deploy/grafana, deploy/prometheus and their copies in the chart": [
        "deploy/monitoring/generate.py",
        "--check",
    ],
}
"""What is generated → arguments for Python that exit 1, naming the file, when it is behind."""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """The anchors that the usual Markdown renderers make of headings."""
    headings = HEADING.findall(FENCE.sub("", document.read_text(encoding="utf-8")))
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize("what", CHECKS)
def test_generated_files_are_up_to_date(what: str, run: Run) -> None:
    check = run(sys.executable, *CHECKS[what])
    assert check.returncode == 0, check.stderr


def test_every_link_between_documents_leads_somewhere(tracked: list[str]) -> None:
    broken = []
    for document in (ROOT / name for name in tracked if name.endswith(".md")):
        text = FENCE.sub("", document.read_text(encoding="utf-8"))
        for link in LINK.findall(text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            goal = (document.parent / path).resolve() if path else document
            if not goal.exists() or (anchor and anchor not in anchors(goal)):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert broken == []


def test_every_decision_record_is_numbered_listed_and_can_be_proven_wrong() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert f"({record.name})" in index
        assert text.startswith(f"# {record.name[:4]}: ")
        assert "\nStatus: " in text
        assert HEADING.findall(text)[1:] == [
            "Context",
            "Options",
            "Decision",
            "Consequences",
            "How we will know it was wrong",
        ]


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_the_changelog_knows_the_version_or_what_is_unreleased() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{version}]" in text or "## [Unreleased]" in text


def test_make_help_lists_every_target(run: Run) -> None:
    shown = run("make", "help").stdout
    declared = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  (\S+) +\S", shown, re.MULTILINE) == declared
