"""``trimtab emulate``: its help, its mistakes, its start and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from trimtab.cli.main import build_app
from trimtab.emulator.switches import describe

COMMAND = [sys.executable, "-c", "from trimtab.cli.main import main; main()", "emulate"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        build_app(["emulate"]), ["emulate", *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"}
    )
    return result.exit_code, " ".join(result.output.split())


def test_the_help_names_every_flag_and_every_switch() -> None:
    code, text = run("--help")

    assert code == 0
    for flag in (
        "--listen",
        "--seed",
        "--speed",
        "--api-key",
        "--account",
        "--deployments",
        "--from",
    ):
        assert flag in text
    for line in describe():
        assert line.split("=")[0] in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "8600"], "is not HOST:PORT"),
        (["--listen", "localhost:99999"], "is not HOST:PORT"),
        (["--listen", ":"], "is not HOST:PORT"),
        (["--speed", "0"], "--speed"),
        (["--account", "Not An Id"], "cannot be an account"),
        (["--account", "fireworks"], "cannot be an account"),
        (["--deployments", "many"], "is not demo, none or a number"),
        (["--deployments", "100001"], "is not demo, none or a number"),
        (["--from", "monday"], "is not a duration"),
        (["--from", "4h", "--deployments", "5"], "only the demo's deployments have a week"),
        (["--switch", "scale_mode=perhaps"], "choose one of clamp, reject, rebound"),
        (["--switch", "nonsense=1"], "unknown switch"),
        (["--switch", "nonsense"], "name=value"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str
) -> None:
    code, text = run(*arguments)

    assert code == 2
    assert sentence in text.replace("│ ", "")
    assert "Traceback" not in text


def test_a_taken_address_is_one_sentence_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, text = run("--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--deployments", "none")

    assert code == 1
    assert "in use" in text
    assert "choose another --listen" in text


def test_it_starts_with_as_many_deployments_as_are_wanted() -> None:
    with subprocess.Popen(  # noqa: S603  our own command
        [*COMMAND, "--listen", "127.0.0.1:0", "--account", "mine", "--deployments", "450"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2].rstrip(",") + "/v1/accounts/mine/deployments"
        asked = urllib.request.Request(url + "?pageSize=200", headers={"X-Api-Key": "any"})  # noqa: S310  our own
        with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310  our own
            listed = json.load(response)
        process.send_signal(signal.SIGTERM)

    assert listed["totalSize"] == 450
    assert [one["displayName"] for one in listed["deployments"][:2]] == ["d00000", "d00001"]
    assert {one["replicaStats"]["readyReplicaCount"] for one in listed["deployments"]} == {1}


@pytest.mark.parametrize(("begin", "is_quiet"), [("4h", True), ("9h30m", False), ("172h", True)])
def test_its_traffic_begins_where_in_the_week_it_is_told_to(begin: str, is_quiet: bool) -> None:
    with subprocess.Popen(  # noqa: S603  our own command
        [*COMMAND, "--listen", "127.0.0.1:0", "--from", begin],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        base = process.stdout.readline().split()[2].rstrip(",")
        path = "/_emu/accounts/demo/deployments/chat-8b"
        with urllib.request.urlopen(base + path, timeout=10) as response:  # noqa: S310  our own
            chat = json.load(response)
        process.send_signal(signal.SIGTERM)

    # The top of an ordinary weekday is 165 requests a second.
    assert (chat["load"]["requestsPerSecond"] < 60.0) == is_quiet
    assert (chat["replicas"]["ready"] <= 4) == is_quiet


def test_it_serves_the_demo_until_it_is_told_to_stop() -> None:
    with subprocess.Popen(  # noqa: S603  our own command
        [*COMMAND, "--listen", "127.0.0.1:0", "--speed", "60", "--account", "mine"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        url = line.split()[2].rstrip(",") + "/v1/accounts/mine/deployments"
        asked = urllib.request.Request(url, headers={"X-Api-Key": "any"})  # noqa: S310  our own
        with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310  our own
            listed = json.load(response)
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        code = process.wait(timeout=15)

    assert line.startswith("listening on http://127.0.0.1:")
    assert len(listed["deployments"]) == 3
    assert {d["state"] for d in listed["deployments"]} == {"READY"}
    assert (code, errors) == (0, "")
