"""``trimtab watch``: the fleet and what is decided, live in a terminal; lines where there is none."""

from __future__ import annotations

import json
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from trimtab.cli import ordering
from trimtab.cli.daemon_client import DEFAULT_URL, DaemonClient, DaemonError, path_to
from trimtab.cli.deployment_names import completed

if TYPE_CHECKING:
    from types import FrameType

    from trimtab.cli.watch_board import Board, Shown

REFRESH_SECONDS = 5.0
"""So often the fleet is read where nothing is told: replicas come to serve without a decision."""

REFRESH_SECONDS_MIN = 1.0
"""Between one reading of the fleet and the next, however much is told."""

DRAW_SECONDS = 1.0
"""A terminal may have been resized."""

DECISIONS_BEFORE = 30


class Pressed(NamedTuple):
    """A key."""

    key: str


def watch(
    *,
    deployment: Annotated[
        str | None,
        typer.Option(
            help=f"Only news of one. {ordering.DEPLOYMENT_HELP}",
            show_default=False,
            autocompletion=completed,
        ),
    ] = None,
    is_plain: Annotated[
        bool, typer.Option("--plain", help="Lines of news, as where there is no terminal.")
    ] = False,
    url: ordering.Url = DEFAULT_URL,
    token_file: ordering.TokenFile = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for each piece of news.")
    ] = False,
) -> None:
    """Watch the fleet, what needs somebody first, and what is decided as it happens; q or Ctrl-C ends it.

    Where the daemon is lost it says so, and goes on when it is back. Without a terminal, with --plain or
    --json it prints a line for each piece of news.
    """
    client = DaemonClient(url, token_file)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        daemon = client.ask("GET", "/v1/daemon")
        if is_json or is_plain or not sys.stdout.isatty():
            _print(client, deployment, daemon, is_json)
        else:
            _show(client, deployment)
    except DaemonError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.code) from None
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    """End as Ctrl-C does, so that the terminal is left as it was found."""
    raise KeyboardInterrupt


def _print(
    client: DaemonClient, deployment: str | None, daemon: dict[str, Any], is_json: bool
) -> None:
    from trimtab.cli.feed import Feed, Listening, Lost, Refused
    from trimtab.cli.fleet_output import banner_lines, counts_line
    from trimtab.cli.news import Heard
    from trimtab.clock import SystemClock

    if not is_json:
        for _, sentence in banner_lines(daemon):
            typer.echo(f"! {sentence}")
        typer.echo(counts_line(client.ask("GET", path_to("/v1/fleet", limit=1))["counts"]))
    told: queue.Queue[Any] = queue.Queue()
    clock, stop = SystemClock(), threading.Event()
    Feed(client, path_to("/v1/stream", deployment=deployment), told.put, stop).start()
    is_lost = False
    try:
        while True:
            match told.get():
                case Heard() as news:
                    _print_news(news, clock.now(), is_json)
                case Lost(why=why, wait_seconds=wait_seconds):
                    is_lost = True
                    typer.echo(f"{why}; tries again in {wait_seconds:.0f} s", err=True)
                case Listening() if is_lost:
                    is_lost = False
                    typer.echo(f"the daemon at {client.url} is heard again", err=True)
                case Refused(error=error):
                    raise error
                case _:
                    pass
    finally:
        stop.set()


def _print_news(news: Any, at: float, is_json: bool) -> None:
    from datetime import UTC, datetime

    from trimtab.cli.watch_board import line_of
    from trimtab.policy.diagnostics import printable

    if is_json:
        said = {"id": news.number, "event": news.kind, "data": news.data}
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    line = line_of(news, at)
    if line is not None:
        local = datetime.fromtimestamp(line.at, tz=UTC).astimezone()
        typer.echo(printable(f"{local:%H:%M:%S}  {line.kind:<10}  {line.text}"))


def _show(client: DaemonClient, deployment: str | None) -> None:
    from trimtab.cli.feed import Feed
    from trimtab.cli.keys import keys
    from trimtab.cli.watch_board import Board

    told: queue.Queue[Any] = queue.Queue()
    stop, is_wanted = threading.Event(), threading.Event()
    board = Board(client.url)
    with suppress(DaemonError):  # without a journal there is no past, and all the rest
        path = path_to("/v1/decisions", deployment=deployment, limit=DECISIONS_BEFORE)
        board.begin_with(client.ask("GET", path)["rows"])
    told.put(_read(client))
    Feed(client, path_to("/v1/stream", deployment=deployment), told.put, stop).start()
    reader = threading.Thread(
        target=_keep_reading, args=(client, told, is_wanted, stop), name="fleet", daemon=True
    )
    reader.start()
    try:
        with keys(lambda key: told.put(Pressed(key))):
            _draw(board, told, is_wanted)
    finally:
        stop.set()


def _read(client: DaemonClient) -> Shown:
    from trimtab.cli.watch_board import ROWS_READ_MAX, Shown

    fleet = client.ask("GET", path_to("/v1/fleet", limit=ROWS_READ_MAX))
    return Shown(client.ask("GET", "/v1/daemon"), fleet)


def _keep_reading(
    client: DaemonClient, told: queue.Queue[Any], is_wanted: threading.Event, stop: threading.Event
) -> None:
    """Read the fleet now and then, and soon after something was told of it."""
    while not stop.wait(REFRESH_SECONDS_MIN):
        is_wanted.wait(REFRESH_SECONDS - REFRESH_SECONDS_MIN)
        is_wanted.clear()
        with suppress(DaemonError):  # the stream tells that the daemon is lost
            told.put(_read(client))


def _draw(board: Board, told: queue.Queue[Any], is_wanted: threading.Event) -> None:
    """Draw what is told until somebody ends it."""
    from rich.console import Console
    from rich.live import Live

    from trimtab.cli.feed import Alive, Refused
    from trimtab.cli.watch_board import Shown
    from trimtab.clock import SystemClock

    clock, console = SystemClock(), Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            several: list[Any] = []
            with suppress(queue.Empty):
                several.append(told.get(timeout=DRAW_SECONDS))
                while True:
                    several.append(told.get_nowait())
            for one in several:
                match one:
                    case Pressed(key="q" | "Q"):
                        return
                    case Pressed():
                        continue
                    case Refused(error=error):
                        raise error
                board.take(one, clock.now())
                if not isinstance(one, Shown | Alive):
                    is_wanted.set()
            live.update(board.drawn(console.width, console.height), refresh=True)
