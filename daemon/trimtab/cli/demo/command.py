"""The command line of the demo: flags in, exit code out. Everything heavy is imported late."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from trimtab.cli.demo.plain_marks import PLAIN
from trimtab.cli.demo.stopping import StopSignal
from trimtab.cli.exit_codes import ExitCode
from trimtab.policy.durations import duration_hint, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.cli.demo.playing import Show
    from trimtab.cli.demo.snapshot import DemoSnapshot
    from trimtab.cli.demo.stage import DemoOptions, Stage

SPEED_MIN, SPEED_MAX = 1.0, 600.0
FROM_SECONDS_MAX = 366 * 86_400.0
INTERRUPTED = 130
LOG_WRITES_KEPT = 40


_Trace = Annotated[
    Path | None,
    typer.Option(
        help="Replay this load (t_s,requests,prompt_tokens,output_tokens; CSV or gzip), scaled to "
        "each deployment, instead of a made-up working week.",
    ),
]
_Begin = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DURATION",
        help="Where in the load to begin: 7h, 31h30m. Second 0 is Monday midnight UTC.  "
        "Default: 7h, or 0s for a trace shorter than a day.",
    ),
]
_Speed = Annotated[
    float, typer.Option(help=f"Simulated seconds a second, {SPEED_MIN:g} to {SPEED_MAX:g}.")
]
_Duration = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="DURATION", help="End after this much real time. Default: Ctrl-C."
    ),
]
_Headless = Annotated[
    bool, typer.Option("--headless", help="Plain lines instead of the live view.")
]
_IsJson = Annotated[
    bool,
    typer.Option("--json", help="Nothing on stdout but one JSON object, at the end."),
]
_Seed = Annotated[int, typer.Option(help="Decides the made-up load, arrivals and start times.")]
_Policies = Annotated[
    Path | None,
    typer.Option(help="File or directory of policies. Default: the project's policies/."),
]
_Port = Annotated[
    int, typer.Option(help="Where the emulator listens; 0 takes a free port.", min=0, max=65535)
]


def demo(
    trace: _Trace = None,
    begin: _Begin = None,
    speed: _Speed = 60.0,
    duration: _Duration = None,
    headless: _Headless = False,
    is_json: _IsJson = False,
    seed: _Seed = 1,
    policies: _Policies = None,
    port: _Port = 0,
) -> None:
    """Watch trimtab scale three emulated deployments.

    The daemon is the real one, the control plane an emulated one, between them real HTTP; all of it
    lives 60 times as fast as you. Ctrl-C ends it and prints what it came to, beside the same load
    with all replicas left at the maximum and at the minimum.
    """
    stop = StopSignal()
    try:
        with _exit_code_of_errors():
            from trimtab.cli.demo.stage import DemoOptions

            options = DemoOptions(
                policies=policies or _own_policies(),
                trace=trace,
                from_seconds=None if begin is None else _seconds("--from", begin),
                speed=_speed(speed),
                seed=seed,
                port=port,
            )
            real_seconds = None if duration is None else _seconds("--for", duration)
            _run(options, stop, real_seconds, is_headless=headless, is_json=is_json)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        stop.restore()


def _run(
    options: DemoOptions,
    stop: StopSignal,
    real_seconds: float | None,
    *,
    is_headless: bool,
    is_json: bool,
) -> None:
    import asyncio

    from trimtab.cli.demo.playing import play
    from trimtab.cli.demo.summary import as_json
    from trimtab.service.logs import configure_logs
    from trimtab.version import VERSION

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)
    log = _Log()
    show = _show(log, is_headless=is_headless or is_json, is_json=is_json)

    def on_started(stage: Stage) -> None:
        configure_logs(stage.clock, level="warning", stream=log)

    logging.basicConfig(stream=log, level=logging.WARNING, force=True)
    try:
        ending = asyncio.run(
            play(options, show=show, stop=stop, real_seconds=real_seconds, on_started=on_started)
        )
    finally:
        log.release()
    if is_json:
        print(json.dumps(as_json(ending, version=VERSION), indent=2))  # noqa: T201  its output
    else:
        _print_summary(ending)


def _print_summary(ending: DemoSnapshot) -> None:
    from trimtab.cli.demo.summary import as_lines

    print()  # noqa: T201  what the command prints
    for line in as_lines(ending):
        print(line)  # noqa: T201  likewise


def _show(log: _Log, *, is_headless: bool, is_json: bool) -> Show:
    """Return how to show the demo; the live view holds the log back."""
    from trimtab.cli.demo.playing import LiveShow, PlainShow, is_terminal
    from trimtab.cli.demo.view import HEIGHT_MIN, WIDTH_MIN

    if is_headless or not is_terminal(sys.stdout):
        return PlainShow(sys.stderr if is_json else sys.stdout)
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_dumb_terminal:
        return PlainShow(sys.stdout)
    width, height = console.size
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        _refuse(
            f"the terminal has {width} columns and {height} rows; the live view needs {WIDTH_MIN} "
            f"and {HEIGHT_MIN}: enlarge it, or add --headless",
            ExitCode.USAGE,
        )
    log.hold_back()
    return LiveShow(console, problems=lambda: log.held_count)


# -- what was asked for -----------------------------------------------------------------------


def _seconds(flag: str, text: str) -> float:
    seconds = parse_duration(text)
    if seconds is None:
        _refuse(f"{flag} {text!r} is not a duration; {duration_hint(text)}", ExitCode.USAGE)
    if flag == "--from" and seconds > FROM_SECONDS_MAX:
        _refuse(f"--from {text!r} lies more than a year ahead; give less", ExitCode.USAGE)
    if flag == "--for" and seconds <= 0.0:
        _refuse(f"--for {text!r} ends before it begins; give 1s or more", ExitCode.USAGE)
    return seconds


def _speed(speed: float) -> float:
    if not SPEED_MIN <= speed <= SPEED_MAX:
        _refuse(
            f"--speed {speed:g} is out of range; give {SPEED_MIN:g} to {SPEED_MAX:g}",
            ExitCode.USAGE,
        )
    return speed


def _own_policies() -> Path:
    """Find the project's policies: beside the sources, or where the command was called."""
    beside = Path(__file__).resolve().parents[4] / "policies"
    for folder in (beside, Path("policies")):
        if folder.is_dir():
            return folder
    sentence = "there is no folder policies/ here; give one with --policies"
    return _refuse(sentence, ExitCode.BAD_CONFIGURATION)


# -- what went wrong --------------------------------------------------------------------------


@contextlib.contextmanager
def _exit_code_of_errors() -> Iterator[None]:
    """Turn what may be expected to go wrong into one sentence and an exit code."""
    from trimtab.errors import AuthorError, PolicyError, TrimtabError

    try:
        yield
    except BrokenPipeError:
        # Whoever read us has gone; Python would complain about it again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.CLEAN) from None
    except PolicyError as error:
        _refuse(str(error), ExitCode.BAD_CONFIGURATION)
    except AuthorError as error:
        _refuse(str(error), ExitCode.USAGE)
    except TrimtabError as error:
        _refuse(str(error), ExitCode.FAILED)


def _refuse(sentence: str, code: ExitCode) -> NoReturn:
    print(f"trimtab demo: {sentence}", file=sys.stderr)  # noqa: T201  where errors go
    raise typer.Exit(code)


class _Log(io.StringIO):
    """A stream for log lines: stderr, or held back while the live view has the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[str] | None = None
        self.held_count = 0

    def write(self, text: str) -> int:
        """Pass on ``text``, or keep it for later."""
        if self._held is None:
            return sys.stderr.write(text)
        self._held.append(text)
        self.held_count += text.count("\n")
        return len(text)

    def hold_back(self) -> None:
        """Keep what is written from now on, the newest of it, until ``release``."""
        self._held = deque(maxlen=LOG_WRITES_KEPT)

    def release(self) -> None:
        """Write what was held back, and hold back nothing more."""
        held, self._held = self._held, None
        for text in held or ():
            sys.stderr.write(text)
