"""Runs the demo until its time is over or somebody stops it, and shows it meanwhile.

The show is a small port: the live view and plain lines differ only in what they do with a snapshot.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from rich.console import Group
from rich.live import Live

from trimtab.cli.demo.lines import REAL_SECONDS_BETWEEN, opening_lines, state_lines, told_lines
from trimtab.cli.demo.stage import Stage
from trimtab.cli.demo.view import draw
from trimtab.cli.demo.wording import count_of
from trimtab.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from rich.console import Console

    from trimtab.cli.demo.snapshot import DemoSnapshot
    from trimtab.cli.demo.stage import DemoOptions
    from trimtab.cli.demo.stopping import StopSignal

FRAME_SECONDS = 0.25
"""Between two looks, in real time: four a second are lively and cost little."""


class Show(Protocol):
    """What is done with the demo while it runs."""

    def open(self, snapshot: DemoSnapshot) -> None:
        """The demo has begun."""
        ...

    def frame(self, snapshot: DemoSnapshot, stage: Stage) -> None:
        """Time has passed."""
        ...

    def close(self) -> None:
        """The demo is over; give the terminal back."""
        ...


class LiveShow:
    """The live view on a terminal, on its alternate screen.

    ``problems`` says how many log lines wait behind it.
    """

    def __init__(self, console: Console, *, problems: Callable[[], int]) -> None:
        self._console = console
        self._problems = problems
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def open(self, snapshot: DemoSnapshot) -> None:
        """Take the screen."""
        self._live.start()
        self._draw(snapshot)

    def frame(self, snapshot: DemoSnapshot, stage: Stage) -> None:  # noqa: ARG002  the port's signature
        """Draw anew, as large as the terminal is now."""
        self._draw(snapshot)

    def close(self) -> None:
        """Give the screen back."""
        self._live.stop()

    def _draw(self, snapshot: DemoSnapshot) -> None:
        width, height = self._console.size
        count = self._problems()
        if count:
            told = f"{count_of(count, 'line')} in the log, shown at the end"
            snapshot = replace(snapshot, troubles=(*snapshot.troubles, told))
        self._live.update(Group(*draw(snapshot, width, height)), refresh=True)


class PlainShow:
    """Plain lines on ``stream``: for pipes, files and logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = 0
        self._clock = SystemClock()
        self._state_due_at = self._clock.monotonic() + REAL_SECONDS_BETWEEN

    def open(self, snapshot: DemoSnapshot) -> None:
        """Say what is about to happen."""
        self._print(opening_lines(snapshot))

    def frame(self, snapshot: DemoSnapshot, stage: Stage) -> None:
        """Tell what happened since the last frame, and the state of things when it is due."""
        self._print(told_lines(stage.chronicle.untold(self._told)))
        self._told = stage.chronicle.told
        if self._clock.monotonic() >= self._state_due_at:
            self._state_due_at += REAL_SECONDS_BETWEEN
            self._print(state_lines(snapshot))

    def close(self) -> None:
        """Nothing to give back."""

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(line, file=self._stream, flush=True)


async def play(
    options: DemoOptions,
    *,
    show: Show,
    stop: StopSignal,
    real_seconds: float | None,
    on_started: Callable[[Stage], None],
) -> DemoSnapshot:
    """Run the demo and return how it stood when the daemon had stopped.

    ``real_seconds`` ``None`` runs until ``stop``. Raises what ``Stage`` raises, and whatever ended
    the daemon, if it ended by itself.
    """
    clock = SystemClock()
    async with Stage(options) as stage:
        on_started(stage)
        await stage.until_it_remembers()
        ends_at = None if real_seconds is None else clock.monotonic() + real_seconds
        show.open(stage.snapshot(remaining_seconds=real_seconds))
        try:
            while not stage.has_daemon_ended:
                left = None if ends_at is None else ends_at - clock.monotonic()
                if left is not None and left <= 0.0:
                    break
                if await stop.wait(FRAME_SECONDS if left is None else min(FRAME_SECONDS, left)):
                    break
                stage.look()
                show.frame(stage.snapshot(remaining_seconds=left), stage)
        finally:
            show.close()
        await stage.stop_daemon()
        stage.look()
        return stage.snapshot()


def is_terminal(stream: TextIO) -> bool:
    """Say whether people look at ``stream`` and it can show what the view draws."""
    encoding = (stream.encoding or "").lower().replace("-", "")
    return stream.isatty() and encoding == "utf8" and sys.platform != "win32"
