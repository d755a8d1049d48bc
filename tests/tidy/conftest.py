"""What the tests of the repository share: commands to run, and the files that git tracks."""

import os
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Run(Protocol):
    def __call__(
        self, *command: str, folder: Path = ROOT, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command to its end; by default as if no make were around these tests."""

    def run(
        *command: str, folder: Path = ROOT, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        if environment is None:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        return subprocess.run(  # noqa: S603  the tests' own commands
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def tracked(run: Run) -> list[str]:
    """Names of all tracked files, sorted."""
    listing = run("git", "ls-files", "-z")
    assert listing.returncode == 0, listing.stderr
    names = [name for name in sorted(listing.stdout.split("\0")) if (ROOT / name).is_file()]
    assert len(names) > 20, "git knows of almost no file: is this a clone?"
    return names
