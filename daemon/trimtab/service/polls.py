"""Remembers how each source answered last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.audience import Listener
from trimtab.service.status import SourceStatus

if TYPE_CHECKING:
    from trimtab.service.observer import Poll
    from trimtab.sources.port import Source


class Polls(Listener):
    """The latest poll of each source, and the latest that worked."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Poll] = {}
        self._succeeded_at: dict[tuple[str, str], float] = {}

    def polled(self, poll: Poll) -> None:
        """Remember ``poll``."""
        key = (poll.source, poll.endpoint)
        self._last[key] = poll
        if poll.trouble is None:
            self._succeeded_at[key] = poll.at

    def status_of(self, source: Source) -> SourceStatus:
        """Return what is remembered of ``source``."""
        key = (source.name, source.endpoint)
        return SourceStatus(
            name=source.name,
            endpoint=source.endpoint,
            last=self._last.get(key),
            succeeded_at=self._succeeded_at.get(key),
        )
