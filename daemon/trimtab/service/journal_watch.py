"""Tells when the journal comes into another mode or trouble: it fails and recovers by itself, in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.port import JournalMode

if TYPE_CHECKING:
    from trimtab.journal.port import Journal
    from trimtab.service.audience import Audience


class JournalWatch:
    """Compares the mode with the one told last; at the start that is what everybody expects."""

    def __init__(self, journal: Journal, audience: Audience) -> None:
        self._journal = journal
        self._audience = audience
        self._told = JournalMode.DURABLE
        self._trouble: str | None = None

    def look(self) -> None:
        """Tell the mode if it is another one now, and what is amiss if that has changed."""
        status = self._journal.status
        if status.mode is not self._told:
            self._told = status.mode
            self._audience.journal_changed(status)
        if status.trouble != self._trouble:
            self._trouble = status.trouble
            self._audience.journal_troubled(status.trouble)
