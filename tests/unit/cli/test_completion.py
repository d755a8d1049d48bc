"""What a shell completes, and that it never waits for a daemon that does not answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.worlds.daemon_thread import daemon_in_thread

from trimtab.cli import deployment_names
from trimtab.cli.completion import BASH
from trimtab.cli.deployment_names import completed, fitting
from trimtab.cli.main import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.cli.conftest import Trimtab

TRY = f"""
{BASH}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_trimtab_completion
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


class Context:
    """What typer hands over: what was typed so far."""

    def __init__(self, url: str) -> None:
        self.params = {"url": url, "token_file": None}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with daemon_in_thread(tmp_path_factory.mktemp("daemon"), seconds_a_tenth=0.0) as found:
        yield found


@pytest.fixture
def in_bash(tmp_path: Path, url: str) -> Callable[..., list[str]]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    command = tmp_path / "trimtab"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trimtab "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {**os.environ, "TRIMTAB_URL": url, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(*words: str) -> list[str]:
        done = subprocess.run(  # noqa: S603  our own script
            [bash, "--norc", "-c", TRY, "bash", *words],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    return run


@pytest.mark.parametrize(
    ("words", "become"),
    [
        (("trimtab", "stat"), ["status"]),
        (("trimtab", "explain", "--pol"), ["--policy"]),
        (("trimtab", "decisions", "--verdict", "sc"), ["scale-up", "scale-down"]),
        (("trimtab", "status", "chat-f"), ["chat-failed", "chat-full"]),
        (("trimtab", "status", "--url", "http://127.0.0.1:1", "chat-f"), []),
    ],
)
def test_bash_completes_commands_options_words_and_deployments(
    in_bash: Callable[..., list[str]], words: tuple[str, ...], become: list[str]
) -> None:
    assert in_bash(*words) == become


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_takes_its_script(trimtab: Trimtab, shell: str) -> None:
    script = trimtab("completion", shell).stdout
    assert "_TRIMTAB_COMPLETE" in script
    found = shutil.which(shell)
    if found is not None:
        subprocess.run([found, "-n"], input=script, text=True, check=True)  # noqa: S603  its own check


def test_another_shell_is_a_usage_error(trimtab: Trimtab) -> None:
    assert trimtab("completion", "powershell").exit_code == 2


def test_a_daemon_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    join = deployment_names.threading.Thread.join

    def joined(self: object, timeout: float | None = None) -> None:
        assert timeout is not None
        waited.append(timeout)
        join(self, timeout)  # type: ignore[arg-type]  # a stand-in

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(deployment_names.threading.Thread, "join", joined)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert completed(Context(address), "chat") == []  # type: ignore[arg-type]  # a stand-in
    assert waited == [deployment_names.PATIENCE_SECONDS]


def test_a_name_is_as_short_as_it_is_unambiguous() -> None:
    names = [
        "accounts/a/deployments/chat",
        "accounts/b/deployments/chat",
        "accounts/a/deployments/x",
    ]
    assert fitting(names, "") == [names[0], names[1], "x"]
    assert fitting(names, "x") == ["x"]
    assert fitting(names, "accounts/a") == [names[0], names[2]]


@pytest.mark.parametrize("name", ["a b", "$(reboot)", "`x`", "a;b", "a'b", "*", "a\nb"])
def test_nothing_is_completed_that_a_shell_could_run(name: str) -> None:
    assert fitting([f"accounts/a/deployments/{name}"], "") == []


def test_the_words_are_those_being_typed_only_where_a_shell_asks() -> None:
    assert words_of(["status"], {"COMP_WORDS": "trimtab check"}) == ["status"]
    for typed in ({"COMP_WORDS": "trimtab\ncheck\n"}, {"_TYPER_COMPLETE_ARGS": "trimtab check "}):
        assert words_of([], {"_TRIMTAB_COMPLETE": "complete_x", **typed}) == ["check"]
