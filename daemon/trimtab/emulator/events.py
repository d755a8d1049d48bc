"""What happened in the emulated world, for `/_emu/events` and for tests: bounded, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

EVENTS_MAX = 5000


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``kind`` is a stable snake_case word; ``at`` UTC seconds."""

    sequence: int
    at: float
    kind: str
    subject: str
    details: dict[str, Any]


class EventLog:
    """The latest events; older ones are dropped, the sequence numbers tell."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._next = 1

    def add(self, at: float, kind: str, subject: str, **details: Any) -> None:
        """Append one event."""
        self._events.append(Event(self._next, at, kind, subject, details))
        self._next += 1

    def since(self, sequence: int = 0) -> list[Event]:
        """Return the events after ``sequence``, oldest first."""
        return [event for event in self._events if event.sequence > sequence]

    def kinds(self, subject: str | None = None) -> list[str]:
        """Return only the kinds, oldest first; of one subject if given."""
        return [e.kind for e in self._events if subject is None or e.subject == subject]
