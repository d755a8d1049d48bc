"""Pages that a reader follows are followed here: every command, every file, every output as shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.documentation.blocks import ROOT, Kind, as_pattern, blocks_of
from tests.documentation.shell import Shell

DOCS = ROOT / "docs"
WALKED = (DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md")))
"""A page's blocks share a folder and a shell, in the order of the page."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", WALKED, ids=lambda page: page.stem)
def test_every_command_of_the_page_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trimtab"
    folder.mkdir()
    said = ""
    with Shell(folder) as shell:
        for block in blocks_of(page):
            place = f"{page.relative_to(ROOT)}:{block.line}"
            if block.why_not_run is not None:
                continue
            match block.kind:
                case Kind.COMMANDS:
                    ended = shell.type_in(block.text)
                    said = ended.text
                    assert ended.exit_code == 0, f"{place} ended with {ended.exit_code}:\n{said}"
                case Kind.FILE:
                    _write(folder / str(block.file_name), shell.here(block.text))
                case Kind.PYTHON:
                    said = _python(block.text, folder, place)
                case Kind.OUTPUT:
                    shown = as_pattern(shell.here(block.text))
                    assert shown.fullmatch(said), f"{place} shows what was not printed:\n{said}"
                case Kind.SHOWN:
                    pytest.fail(f"{place}: a {block.language} block that nobody can follow; say of "
                                "which file it is in its first line")  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _python(text: str, folder: Path, place: str) -> str:
    ran = subprocess.run(  # noqa: S603  our own page
        [sys.executable, "-W", "error", "-c", text],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, f"{place} ended with {ran.returncode}:\n{ran.stderr}"
    return ran.stdout
