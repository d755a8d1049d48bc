"""``watch`` and ``decisions --follow``: what they show as it happens, in a terminal and without one."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from tests.worlds.daemon_thread import daemon_in_thread

from trimtab.cli.feed import Listening, Lost
from trimtab.cli.news import Heard
from trimtab.cli.watch_board import Board, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 60.0
TRIMTAB = (sys.executable, "-m", "trimtab")
NOON = 1_767_268_800.0

ROW: dict[str, Any] = {
    "name": "accounts/acme/deployments/chat",
    "short_name": "chat",
    "mode": "enforce",
    "trouble": {"level": "short", "sentence": "20 wanted, 6 asked for: at most 6 (policy chat)"},
    "sentence": "hold at 6: load 200 in all, target 10 a replica",
    "current": 6,
    "desired": 6,
    "wanted": 20,
    "ready": 5,
    "on_their_way": 1,
    "lower": 1,
    "upper": 6,
    "override": None,
}
SCALED = Heard(
    3,
    "decision",
    {
        "deployment": "accounts/acme/deployments/chat",
        "verdict": "scale-up",
        "reason": "demand",
        "current": 5,
        "desired": 6,
        "sentence": "scale up 5 → 6: load 60 in all",
    },
)


def answered(rows: int, *, sentence: str = "") -> Shown:
    lines = [{"severity": "degraded", "sentence": sentence}] if sentence else []
    counts = {"all": rows, "failing": 0, "short": rows, "held": 0, "well": 0, "without_policy": 0}
    several = [ROW | {"short_name": f"chat-{number}"} for number in range(min(rows, 100))]
    fleet = {"rows": several, "total": rows, "counts": counts}
    return Shown({"banner": {"lines": lines}}, fleet)


def text_of(board: Board, width: int = 100, height: int = 24) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, highlight=False).print(board.drawn(width, height))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def board() -> Board:
    found = Board("http://here")
    found.take(Listening(), NOON)
    return found


def test_the_board_shows_the_fleet_and_what_was_told_last_first(board: Board) -> None:
    board.take(answered(2), NOON)
    board.take(SCALED, NOON)
    other = {"deployment": None, "subject": "policies", "sentence": "read anew"}
    board.take(Heard(4, "state", other), NOON)
    lines = text_of(board)
    assert lines[0].startswith("● live 2 deployments: 2 short")
    assert lines[0].endswith("q ends")
    assert "20 wanted, 6 asked for" in lines[2]
    assert [line.split(" ", 1)[1] for line in lines[-2:]] == [
        "! read anew",
        "▲ chat: scale up 5 → 6: load 60 in all",
    ]


def test_a_daemon_that_is_lost_and_one_that_is_degraded_stand_above_all(board: Board) -> None:
    board.take(answered(1, sentence="the journal keeps nothing"), NOON)
    board.take(Lost("no daemon answers at http://here", 4.2), NOON)
    lines = text_of(board)
    assert lines[0].startswith("○ not heard 1 deployment")
    assert lines[1] == "! no daemon answers at http://here; tries again in 4 s"
    assert lines[2] == "! the journal keeps nothing"
    board.take(Listening(), NOON)
    assert text_of(board)[1] == "! the journal keeps nothing"


@pytest.mark.parametrize("rows", [0, 1, 30, 10_000])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 50), (60, 12)])
def test_the_board_fits_into_the_terminal(board: Board, rows: int, width: int, height: int) -> None:
    board.take(answered(rows), NOON)
    for number in range(50):
        board.take(SCALED._replace(number=number), NOON)
    lines = text_of(board, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert sum("scale up" in line for line in lines) >= 3  # however many rows there are
    assert any("more" in line for line in lines) is (rows > height)


def test_words_of_others_cannot_move_the_cursor(board: Board) -> None:
    evil = answered(1, sentence="a\x1b[2Jb")
    evil.fleet["rows"][0]["trouble"] = {"level": "short", "sentence": "c\x1b[2Jd"}
    board.take(evil, NOON)
    board.take(replace_sentence(SCALED, "e\x1b[2Jf"), NOON)
    assert "\x1b" not in "".join(text_of(board))


def replace_sentence(news: Heard, sentence: str) -> Heard:
    return news._replace(data=news.data | {"sentence": sentence})


# -- with a daemon -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A daemon in whose time minutes pass in a second, so that there are news."""
    with daemon_in_thread(tmp_path_factory.mktemp("daemon"), seconds_a_tenth=15.0) as found:
        yield found


class Terminal:
    """A command in a terminal of its own, and what it has written there."""

    def __init__(self, *words: str, width: int = 100, height: int = 30) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(  # noqa: S603  our own interpreter
            [*TRIMTAB, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        self.text = ""

    def until(self, shown: str) -> None:
        while shown not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text):
            ready, _, _ = select.select([self.ours], [], [], PATIENCE_SECONDS)
            assert ready, self.text[-2000:]
            self.text += os.read(self.ours, 65536).decode("utf-8", "replace")

    def end(self, how: str) -> int:
        if how == "q":
            os.write(self.ours, b"q")
        else:
            self.process.send_signal(signal.Signals[how])
        while self.process.poll() is None:
            if select.select([self.ours], [], [], 0.05)[0]:
                self.text += os.read(self.ours, 65536).decode("utf-8", "replace")
        return self.process.returncode


@pytest.mark.parametrize("how", ["q", "SIGINT", "SIGTERM"])
def test_watching_ends_well_and_leaves_the_terminal_as_it_was(url: str, how: str) -> None:
    terminal = Terminal("watch", "--url", url)
    try:
        terminal.until("● live 7 deployments")
        terminal.until("20 wanted, 6 asked for")
        assert terminal.end(how) == 0
        assert termios.tcgetattr(terminal.theirs) == terminal.before
        assert "Traceback" not in terminal.text
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.ours)
        os.close(terminal.theirs)


def ended(process: subprocess.Popen[str]) -> int:
    """Press Ctrl-C, and again if that comes to nothing: Python loses one that comes within a callback.

    What is still printed is read: whoever ends does not before its last lines are taken.
    """
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=PATIENCE_SECONDS / 3)
            break
    return process.returncode


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("watch", "--json"), {"id", "event", "data"}),
        (("decisions", "--follow", "--limit", "2", "--json"), {"id", "deployment", "sentence"}),
    ],
)
def test_without_a_terminal_each_line_is_one_that_a_program_can_read(
    url: str, words: tuple[str, ...], keys: set[str]
) -> None:
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [*TRIMTAB, *words, "--url", url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            found = [json.loads(process.stdout.readline()) for _ in range(4)]
            assert ended(process) == 0
        finally:
            process.kill()
    assert all(keys <= one.keys() for one in found)
    ids = [int(one["id"]) for one in found]
    assert ids == sorted(set(ids))
