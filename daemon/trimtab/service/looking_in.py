"""What may be asked of a running daemon, by whoever serves health checks, metrics and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from trimtab.service.overview import Overview
    from trimtab.service.status import StatusSnapshot


class LookingIn:
    """Passes on what the overview knows."""

    _overview: Overview
    _stop: asyncio.Event

    def status(self) -> StatusSnapshot:
        """Return what the daemon knows and does right now. Walks the fleet."""
        return self._overview.status()

    def not_ready(self) -> tuple[str, ...]:
        """Return what is still missing before the daemon does its work; empty when it does."""
        stopping = ("the daemon is stopping",) if self._stop.is_set() else ()
        return (*stopping, *self._overview.not_ready())

    def remarks(self) -> tuple[str, ...]:
        """Return what somebody should mend although the daemon decides."""
        return self._overview.remarks()

    def beat_age_seconds(self) -> float:
        """Return how long ago the loop that decides last came round."""
        return self._overview.beat_age_seconds()
