from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def release_into(folder: Path, **environment: str) -> Path:
    """Build a release of HEAD as `make release` does."""
    ran = subprocess.run(  # noqa: S603  our own command
        [sys.executable, ROOT / "deploy" / "release.py", "--to", folder],
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of HEAD."""
    return release_into(tmp_path_factory.mktemp("release") / "dist")
