"""Fair queues of names: whoever is noisy waits behind itself, not the others behind it.

Round robin with one queue per kind of event, as in fair queueing of packets (Nagle, RFC 970): each
turn takes one name of the next lane that has any. A name that stands at place p of its lane is
therefore taken after at most p names of every lane, however many the others hold.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Lane(Protocol):
    """One of the queues."""

    def take(self, now: float) -> str | None:
        """Remove and return the first name that may be taken at ``now`` (monotonic seconds)."""
        ...

    def discard(self, name: str) -> None:
        """Let ``name`` wait no more: it is being answered."""
        ...

    def next_at(self) -> float | None:
        """When a name may be taken next (monotonic seconds); ``None`` while nothing waits."""
        ...


class EventLane:
    """Names in the order in which they were woken, each once, behind a coalescing window.

    The window opens with the first name, and closes when nothing more came for ``idle_seconds``, at
    the latest after ``window_seconds_max``. It is closed until the lane is empty, so that a stream
    of events cannot hold up what waits already.
    """

    __slots__ = ("_idle_seconds", "_is_closed", "_names", "_opened_at", "_ready_at", "_window_max")

    def __init__(self, *, idle_seconds: float, window_seconds_max: float) -> None:
        self._idle_seconds = idle_seconds
        self._window_max = window_seconds_max
        self._names: OrderedDict[str, None] = OrderedDict()
        self._opened_at = 0.0
        self._ready_at = 0.0
        self._is_closed = False

    def __len__(self) -> int:
        """How many names wait."""
        return len(self._names)

    def add(self, names: Iterable[str], now: float) -> bool:
        """Let names wait that do not yet; say whether the lane was empty and is no more."""
        was_empty = not self._names
        self._names.update(dict.fromkeys(names))
        if not self._names:
            return False
        if was_empty:
            self._opened_at, self._is_closed = now, False
        if not self._is_closed:
            self._ready_at = min(now + self._idle_seconds, self._opened_at + self._window_max)
        return was_empty

    def take(self, now: float) -> str | None:
        """Remove and return the name that has waited longest, once the window is closed."""
        if not self._names or now < self._ready_at:
            return None
        self._is_closed = True
        return self._names.popitem(last=False)[0]

    def discard(self, name: str) -> None:
        """Let ``name`` wait no more."""
        self._names.pop(name, None)

    def next_at(self) -> float | None:
        """When the window closes or has closed; ``None`` while nothing waits."""
        return self._ready_at if self._names else None


class FairLanes:
    """Takes slices of names from lanes in turn."""

    def __init__(self) -> None:
        self._turns: deque[Lane] = deque()

    def add(self, lane: Lane) -> None:
        """Give a new lane its turn, after those whose turn comes before."""
        self._turns.append(lane)

    def take(self, now: float, most: int) -> list[str]:
        """Remove and return at most ``most`` names, one of each lane in turn.

        A name is taken once, whatever lanes it waits in.
        """
        names: dict[str, None] = {}
        turns = self._turns
        idle = 0
        while len(names) < most and idle < len(turns):
            lane = turns[0]
            turns.rotate(-1)
            name = lane.take(now)
            if name is None:
                idle += 1
                continue
            idle = 0
            names[name] = None
            for other in turns:
                if other is not lane:
                    other.discard(name)
        return list(names)

    def next_at(self) -> float | None:
        """When there is something to take (monotonic seconds); ``None`` while nothing waits."""
        return min((at for lane in self._turns if (at := lane.next_at()) is not None), default=None)
