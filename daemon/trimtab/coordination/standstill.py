"""How long something has not changed, as far as this process can have seen it.

This is how a lease is known to have run out without trusting anybody's wall clock: whoever holds it changes
its version with every renewal, so a version that stood still for the lease's time by *my* monotonic clock
belongs to a holder that has not renewed for as long, up to the drift between two monotonic clocks. A server
whose clock is stepped, or a standby with another clock that takes its place, changes nothing about that.
(Kubernetes' leader election judges leases in the same way.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

Key = TypeVar("Key")


class Standstill(Generic[Key]):
    """When each thing was first seen in the version that it still has. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._first_seen: dict[Key, tuple[str, float]] = {}

    def seconds(self, key: Key, version: str, *, asked_at: float, answered_at: float) -> float:
        """Take note of a version, and return for how long it is certain that it has not changed.

        ``asked_at`` is before the question was sent, ``answered_at`` after the answer came: it was read at
        some time in between. So it may be as old as ``answered_at`` when it is new to us, and still stood
        at ``asked_at`` when it is not: both errors make the time shorter, never longer.
        """
        known = self._first_seen.get(key)
        if known is None or known[0] != version:
            self._first_seen[key] = (version, answered_at)
            return 0.0
        return max(0.0, asked_at - known[1])

    def forget_all_but(self, keys: Collection[Key]) -> None:
        """Keep only what was seen of ``keys``."""
        for key in [key for key in self._first_seen if key not in keys]:
            del self._first_seen[key]
