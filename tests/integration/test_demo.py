"""The demo as people start it: a process of its own, on a terminal or not, stopped or left alone."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from trimtab.cli.demo.audit import Promise
from trimtab.cli.demo.stage import API_KEY, DemoOptions, Stage
from trimtab.cli.main import build_app

POLICIES = Path(__file__).resolve().parents[2] / "policies"
CHAT = "accounts/demo/deployments/chat-8b"
COMMAND = [sys.executable, "-m", "trimtab", "demo"]

INTERRUPTED_EARLY = """
import os, signal, sys
import trimtab.cli.demo.command as command
from trimtab.cli.main import main

find = command._own_policies

def find_when_interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    return find()

command._own_policies = find_when_interrupted
sys.argv = ["trimtab", "demo", "--headless"]
main()
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two days by the minute: quiet until seven, ten times the load until eight, quiet again."""
    lines = ["t_s,requests,prompt_tokens,output_tokens"]
    for minute in range(2 * 24 * 60):
        requests = 600 if 7 * 60 + 10 <= minute % 1440 < 7 * 60 + 30 else 60
        lines.append(f"{60 * minute},{requests},{300 * requests},{50 * requests}")
    path = tmp_path / "steps.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def finished(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
        env=environment,
    )


# -- left alone ---------------------------------------------------------------------------------


def test_a_trace_is_followed_up_and_down_and_the_json_is_all_there_is_on_stdout(
    trace: Path,
) -> None:
    done = finished(
        "--headless",
        "--json",
        "--trace",
        str(trace),
        "--for",
        "7s",
        "--speed",
        "400",
        "--seed",
        "3",
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["scale_ups"] >= 1
    assert summary["scale_downs"] >= 1
    assert summary["decisions"] == summary["scale_ups"] + summary["scale_downs"]
    assert summary["patches"] >= summary["decisions"]
    assert summary["invariant_violations"] == 0
    assert (summary["trace"], summary["seed"], summary["speed"]) == ("steps.csv", 3, 400.0)
    at_max, at_min = summary["references"]["max"], summary["references"]["min"]
    assert at_min["accelerator_hours"] < summary["accelerator_hours"] < at_max["accelerator_hours"]
    assert at_min["attainment"] < summary["attainment"]
    assert "chat-8b: load x" in done.stderr
    assert "Traceback" not in done.stderr


# -- stopped ------------------------------------------------------------------------------------


def test_an_interrupt_ends_it_with_the_summary_and_exit_code_0() -> None:
    process = subprocess.Popen(  # noqa: S603  our own command
        [*COMMAND, "--headless", "--speed", "120"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "emulated control plane: http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # one Ctrl-C may come from the terminal and from a wrapper
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "no invariant violations" in out
    assert "left at max" in out
    assert err == ""


def test_an_interrupt_before_anything_runs_ends_it_as_cleanly() -> None:
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-c", INTERRUPTED_EARLY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "left at min" in out
    assert err == ""


# -- on a terminal ------------------------------------------------------------------------------


class Terminal:
    """The demo on a pseudo-terminal of a given size, and everything it ever drew."""

    def __init__(self, columns: int, rows: int, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(  # noqa: S603  our own command
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
            | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn = ""

    def read_until(self, pattern: str) -> None:
        while not re.search(pattern, self.drawn):
            assert self._read(), f"{pattern!r} never came: {self.drawn[-2000:]}"

    def read_to_the_end(self) -> int:
        while self._read():
            pass
        return self.process.wait(timeout=20)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 30.0)[0]:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # the other end is closed
            return False
        text = piece.decode("utf-8", "replace")
        self.drawn += re.sub(r"\x1b\[[0-9;]*m", "", text)
        return bool(piece)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def open_terminal() -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    class Remembered(Terminal):
        def __init__(self, columns: int, rows: int, *arguments: str) -> None:
            super().__init__(columns, rows, *arguments)
            opened.append(self)

    yield Remembered
    for terminal in opened:
        terminal.close()


def test_on_a_terminal_it_draws_until_it_is_interrupted_and_gives_the_screen_back(
    open_terminal: type[Terminal],
) -> None:
    terminal = open_terminal(80, 24, "--speed", "300")
    terminal.read_until(r"adopted under policy")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.read_to_the_end() == 0
    for part in ("chat-8b", "chat-70b", "code-8b", "req/s", "Ctrl-C", "0 invariant violations"):
        assert part in terminal.drawn
    assert "Traceback" not in terminal.drawn
    screen_back = terminal.drawn.index("\x1b[?1049l")
    assert "within SLO" in terminal.drawn[screen_back:]


def test_a_terminal_that_is_too_small_is_told_what_it_needs(
    open_terminal: type[Terminal],
) -> None:
    terminal = open_terminal(60, 15)
    assert terminal.read_to_the_end() == 2
    assert "the terminal has 60 columns and 15 rows; the live view needs" in terminal.drawn


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--trace", "no/such.csv"], 2, "no/such.csv cannot be read: No such file or directory"),
        (["--from", "7"], 2, "--from '7' is not a duration; say which unit"),
        (["--from", "99999999d"], 2, "--from '99999999d' lies more than a year ahead"),
        (["--for", "0s"], 2, "--for '0s' ends before it begins"),
        (["--for", "soon"], 2, "--for 'soon' is not a duration"),
        (["--speed", "0"], 2, "--speed 0 is out of range; give 1 to 600"),
        (["--speed", "nan"], 2, "--speed nan is out of range; give 1 to 600"),
        (["--policies", "no/such/folder"], 78, "no/such/folder"),
    ],
)
def test_bad_input_is_one_clear_sentence(arguments: list[str], code: int, sentence: str) -> None:
    line = ["demo", "--headless", *arguments]
    result = CliRunner().invoke(build_app(line), line)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert result.stderr.startswith("trimtab demo: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_whoever_reads_it_may_go_away(trace: Path) -> None:
    command = [*COMMAND, "--headless", "--for", "20s", "--trace", str(trace)]
    process = subprocess.Popen(  # noqa: S603  our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_terminal_that_knows_no_letters_beyond_ascii_gets_what_it_can_show() -> None:
    done = finished(
        "--headless", "--for", "1s", environment=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0, done.stderr
    assert "left at max" in done.stdout


def test_a_port_that_is_taken_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = ["demo", "--headless", "--port", str(port)]
        result = CliRunner().invoke(build_app(line), line)
    assert result.exit_code == 1
    assert (
        f"the emulator cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr
    )
    assert "Traceback" not in result.stderr


# -- checked from outside -----------------------------------------------------------------------


async def until(is_true: Callable[[], bool]) -> None:
    while not is_true():  # noqa: ASYNC110  what is waited for sets no event
        await asyncio.sleep(0.02)


async def patch(stage: Stage, name: str, key: str, **body: int) -> int:
    mask = ",".join(body)
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.patch(f"{stage.url}/v1/{name}?updateMask={mask}", json=body) as response,
    ):
        return response.status


async def test_a_write_outside_the_bounds_is_found_at_the_emulators_door() -> None:
    async with Stage(DemoOptions(policies=POLICIES, speed=60.0)) as stage:
        await stage.stop_daemon()
        assert await patch(stage, CHAT, API_KEY, minReplicaCount=14, maxReplicaCount=14) == 200
        (violation,) = stage.snapshot().violations
        assert violation.promise is Promise.WITHIN_BOUNDS
        assert "14 replicas are outside 2-12" in violation.sentence
        assert stage.snapshot().patches == 1


async def test_a_refused_write_is_counted_as_refused() -> None:
    async with Stage(DemoOptions(policies=POLICIES)) as stage:
        await stage.stop_daemon()
        assert await patch(stage, CHAT, API_KEY, minReplicaCount=-1, maxReplicaCount=-1) == 400
        assert stage.snapshot().patches_refused == 1


async def test_what_a_person_sets_is_adopted_and_not_counted_as_the_daemons() -> None:
    async with Stage(DemoOptions(policies=POLICIES, speed=120.0)) as stage:
        await until(lambda: bool(stage.chronicle.latest))
        before = stage.snapshot().patches
        assert (
            await patch(stage, CHAT, "a-persons-key", minReplicaCount=3, maxReplicaCount=5) == 200
        )
        await until(lambda: any("somebody set" in e.sentence for e in stage.chronicle.entries))
        snapshot = stage.snapshot()
        view = next(view for view in snapshot.deployments if view.name == CHAT)
        assert (view.allowed.lower, view.allowed.upper) == (3, 5)
        assert snapshot.violation_count == 0
        assert snapshot.patches - before <= 2
