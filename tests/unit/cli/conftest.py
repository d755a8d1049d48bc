from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from click.testing import Result
from typer.testing import CliRunner

from trimtab.cli.main import build_app

Trimtab: TypeAlias = Callable[..., Result]


@pytest.fixture
def trimtab() -> Trimtab:
    """Run one command line in this process."""

    def run(*arguments: object) -> Result:
        words = [str(one) for one in arguments]
        return CliRunner().invoke(build_app(words), words, env={"NO_COLOR": "1", "COLUMNS": "200"})

    return run
