"""What ``trimtab watch`` knows, and how it looks: pure, so that any moment of it can be drawn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Group
from rich.text import Text

from trimtab.cli.feed import Alive, Listening, Lost
from trimtab.cli.fleet_output import (
    QUIET,
    WIDE_COLUMNS_MIN,
    banner_lines,
    counts_line,
    fleet_table,
)
from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trimtab.cli.news import Heard

NEWS_KEPT_MAX = 200
NEWS_ROWS_MIN = 4
"""So many lines of news have room, however large the fleet is."""

ROWS_READ_MAX = 100
"""No terminal shows more rows of a fleet than that."""

_MARKS = {"scale-up": "▲", "scale-down": "▼", "hold": "·", "write": "✎", "state": "!"}
_STYLES = {"scale-up": "green", "scale-down": "magenta", "write": "cyan", "state": "yellow"}


class Shown(NamedTuple):
    """What the daemon answered: a ``DaemonView`` and a ``FleetPage``."""

    daemon: dict[str, Any]
    fleet: dict[str, Any]


class NewsLine(NamedTuple):
    """One line of news. ``at`` is UTC seconds: of the journal, or when it was heard."""

    at: float
    kind: str
    """A verdict, ``write`` or ``state``."""

    text: str


def line_of(news: Heard, at: float) -> NewsLine | None:
    """Return the line that tells ``news``; ``None``: it is nothing to be read."""
    data = news.data
    short = str(data.get("deployment") or "").rpartition("/")[2]
    named = f"{short}: " if short else ""
    sentence = data.get("sentence", "")
    match news.kind:
        case "decision":
            return NewsLine(at, str(data.get("verdict")), f"{named}{sentence}")
        case "write":
            moved = f"{data.get('from_replicas')} → {data.get('to_replicas')}"
            return NewsLine(at, "write", f"{named}{moved} {data.get('status')}: {sentence}")
        case "state":
            return NewsLine(at, "state", f"{named}{sentence}")
        case _:
            return None


def line_of_row(row: dict[str, Any]) -> NewsLine:
    """Return the line that tells a ``DecisionRow`` of the journal."""
    at = datetime.fromisoformat(row["at"]).timestamp()
    return NewsLine(
        at, row["verdict"], f"{row['deployment'].rpartition('/')[2]}: {row['sentence']}"
    )


@dataclass(slots=True)
class Board:
    """Everything that is shown. ``take`` lets it know more; ``drawn`` shows it."""

    url: str
    shown: Shown | None = None
    news: deque[NewsLine] = field(default_factory=lambda: deque(maxlen=NEWS_KEPT_MAX))
    """The newest first."""

    trouble: str = ""
    """Why what is shown may be old."""

    is_live: bool = False

    def take(self, one: object, at: float) -> None:
        """Know what came: news, an answer, or how the line is."""
        match one:
            case Shown():
                self.shown = one
            case Listening() | Alive():
                self.is_live, self.trouble = True, ""
            case Lost():
                self.is_live = False
                self.trouble = f"{one.why}; tries again in {one.wait_seconds:.0f} s"
            case _:
                line = line_of(one, at)  # type: ignore[arg-type]  # nothing else is posted
                if line is not None:
                    self.news.appendleft(line)

    def begin_with(self, rows: list[dict[str, Any]]) -> None:
        """Know what was decided before anybody watched, the newest first; news that came meanwhile stay above."""
        self.news.extend(line_of_row(row) for row in rows)

    def drawn(self, width: int, height: int) -> RenderableType:
        """Return everything, fitted into a terminal of that size."""
        parts: list[RenderableType] = [self._head(width)]
        parts += [
            Text(printable(f"! {sentence}"), "bold red" if is_degraded else "yellow", no_wrap=True,
                 overflow="ellipsis")
            for is_degraded, sentence in self._warnings()
        ]  # fmt: skip
        room = height - len(parts) - 1
        rows = [] if self.shown is None else self.shown.fleet["rows"]
        most = max(1, room - 1 - max(NEWS_ROWS_MIN, min(len(self.news), room // 3)))
        fleet = self._fleet(rows[:most], width)
        parts += fleet
        parts.append(Text(""))
        used = len(rows[:most]) + len(
            fleet
        )  # a table has a head; what else there is, is a line each
        parts += [self._line(one, width) for one in list(self.news)[: max(1, room - used)]]
        return Group(*parts)

    def _warnings(self) -> list[tuple[bool, str]]:
        found = [] if self.shown is None else list(banner_lines(self.shown.daemon))
        return [(True, self.trouble), *found] if self.trouble else found

    def _head(self, width: int) -> Text:
        said = (
            "asks the daemon …" if self.shown is None else counts_line(self.shown.fleet["counts"])
        )
        dot = Text("● live ", "green") if self.is_live else Text("○ not heard ", "bold red")
        tail = Text("  q ends", QUIET)
        head = Text.assemble(dot, printable(said))
        head.truncate(max(10, width - tail.cell_len), overflow="ellipsis", pad=True)
        return head + tail

    def _fleet(self, rows: list[dict[str, Any]], width: int) -> list[RenderableType]:
        if self.shown is None:
            return []
        if not rows:
            return [Text("no policy matches any deployment", QUIET)]
        table = fleet_table(rows, is_wide=width >= WIDE_COLUMNS_MIN)
        for column in table.columns:
            column.no_wrap, column.overflow = True, "ellipsis"  # a line for each, so that it fits
        left = self.shown.fleet["total"] - len(rows)
        return [table, Text(f"… and {left} more", QUIET)] if left > 0 else [table]

    @staticmethod
    def _line(one: NewsLine, width: int) -> Text:
        local = datetime.fromtimestamp(one.at, tz=UTC).astimezone()
        line = Text.assemble(
            (f"{local:%H:%M:%S} ", QUIET),
            (f"{_MARKS.get(one.kind, '·')} ", _STYLES.get(one.kind, "")),
            printable(one.text),
        )
        line.truncate(width, overflow="ellipsis")
        return line
