"""``schedule``: a count at certain times of the week or the year, and nothing to say at others.

The windows are those of ``core/calendar.py``. As a floor they keep replicas ready before people come
in, as a ceiling they cap the night, as an exact count they do both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from trimtab.core.proposals import Wish

if TYPE_CHECKING:
    from trimtab.core.calendar import Opening
    from trimtab.core.proposals import JsonValue, View

LOOK_AHEAD_DAYS = 7
"""How far ahead the sentence of a closed schedule looks for the next window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A count while ``opening`` is open. ``label`` is the window as written, for people.

    ``is_exact`` caps the others' proposals at the same count.
    """

    opening: Opening
    replicas: int
    label: str
    priority: int = 0
    is_exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Ask for the count of the open window; where several are open, the first by priority.

    Among equal priorities the larger count wins. ``timezone`` (IANA) is the one that sentences use.
    """

    windows: tuple[Window, ...]
    timezone: str

    @property
    def signals(self) -> tuple[str, ...]:
        """None: it looks at the clock alone."""
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Ask for the count of the window that is open at the view's time, or abstain."""
        best: Window | None = None
        until = 0.0
        for window in self.windows:
            end = window.opening.open_until(view.now)
            if end is not None and (best is None or _rank(window) > _rank(best)):
                best, until = window, end
        if best is None:
            return Wish(replicas=None, sentence=self._closed(view.now), is_abstaining=True)
        exactly = "exactly " if best.is_exact else ""
        return Wish(
            replicas=best.replicas,
            at_most=best.replicas if best.is_exact else None,
            sentence=f"{best.label} is open until {self._local(until)}: {exactly}{best.replicas}",
        )

    def edges(self, now: float, memory: JsonValue) -> tuple[float, ...]:  # noqa: ARG002  the interface
        """When a window opens or closes next, looking a day ahead."""
        edges = (window.opening.next_edge(now) for window in self.windows)
        return tuple(edge for edge in edges if edge is not None)

    def _closed(self, now: float) -> str:
        coming = [
            (start, window.label)
            for window in self.windows
            if (start := window.opening.next_start(now, within_days=LOOK_AHEAD_DAYS)) is not None
        ]
        if not coming:
            return "no window is open, nor opens within a week"
        start, label = min(coming)
        return f"no window is open; {label} opens at {self._local(start)}"

    def _local(self, seconds: float) -> str:
        return f"{datetime.fromtimestamp(seconds, tz=ZoneInfo(self.timezone)):%Y-%m-%d %H:%M} {self.timezone}"


def _rank(window: Window) -> tuple[int, int]:
    return window.priority, window.replicas
