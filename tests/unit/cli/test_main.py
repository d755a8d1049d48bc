from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.main import COMMANDS, build_app
from trimtab.version import VERSION


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200"}).invoke(
        build_app(arguments), list(arguments), prog_name="trimtab"
    )
    return result.exit_code, result.output


def test_the_overview_names_every_command_with_one_line() -> None:
    code, text = call("--help")
    assert code == ExitCode.CLEAN
    for name, line in COMMANDS.items():
        assert name in text
        assert line in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name: str) -> None:
    code, text = call(name, "--help")
    assert code == ExitCode.CLEAN
    assert f"trimtab {name}" in text
    assert "--help" in text


def test_the_version_is_told() -> None:
    assert call("--version") == (ExitCode.CLEAN, f"trimtab {VERSION}\n")


@pytest.mark.parametrize("arguments", [("nope",), ("run", "--nope"), ("run", "surplus")])
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    code, text = call(*arguments)
    assert code == ExitCode.USAGE
    assert arguments[-1] in text


def test_the_overview_imports_nothing_that_it_does_not_show() -> None:
    script = (
        "import sys; from trimtab.cli.main import build_app; build_app(['--help']);"
        "print(sorted({'aiohttp', 'pydantic', 'yaml', 'prometheus_client'} & set(sys.modules)))"
    )
    output = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert output.stdout == "[]\n"


def test_python_dash_m_is_the_same_command() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "trimtab", "--version"], capture_output=True, text=True, check=True
    )
    assert output.stdout == f"trimtab {VERSION}\n"
