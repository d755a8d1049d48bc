"""Tells when the journal comes into another mode: it fails and recovers by itself, in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.port import JournalMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.journal.port import Journal, JournalStatus


class JournalWatch:
    """Compares the mode with the one told last; at the start that is what everybody expects."""

    def __init__(self, journal: Journal, *, on_change: Callable[[JournalStatus], None]) -> None:
        self._journal = journal
        self._on_change = on_change
        self._told = JournalMode.DURABLE

    def look(self) -> None:
        """Tell the mode if it is another one now."""
        status = self._journal.status
        if status.mode is not self._told:
            self._told = status.mode
            self._on_change(status)
