"""What is amiss with the daemon, and the daemon as a whole."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from trimtab.service.breaker import CircuitState
from trimtab.service.gate import WRITABLE_MODES
from trimtab.service.views.detail import quota_views, spend_views
from trimtab.version import VERSION
from trimtab.web.views.daemon import (
    Banner,
    BannerLine,
    CircuitView,
    DaemonView,
    JournalView,
    Severity,
    SourceView,
    TargetView,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.core.engine import Engine
    from trimtab.service.fleet import Fleet
    from trimtab.service.overview import Overview
    from trimtab.service.status import StatusSnapshot

STUCK_SECONDS = 60.0
"""The loop comes round at least at every tick; half a dozen of them without are too many."""


REMARKS_SECONDS = 5.0
"""How long remarks are good for, of the loop's own time."""


class DaemonSeen:
    """Looks at the daemon from outside."""

    def __init__(
        self,
        *,
        overview: Overview,
        fleet: Fleet,
        engine: Callable[[], Engine],
        not_ready: Callable[[], tuple[str, ...]],
    ) -> None:
        self._overview = overview
        self._fleet = fleet
        self._engine = engine
        self._not_ready = not_ready
        self._remarks: tuple[str, ...] = ()
        self._remarked_at = -inf

    def banner(self) -> Banner:
        """Return what is amiss, the worst first, each sentence once."""
        return self._banner(self._overview.status_of_few())

    def view(self) -> DaemonView:
        """Return the daemon as a whole."""
        status, engine = self._overview.status_of_few(), self._engine()
        missing = self._not_ready()
        kept = status.journal.status
        return DaemonView(
            at=status.at,
            version=VERSION,
            started_at=status.started_at,
            ticked_at=status.ticked_at,
            is_ready=not missing,
            missing=missing,
            banner=self._banner(status),
            deployments=len(self._fleet.deployments),
            policies=len(status.policies),
            orders_waiting=status.orders_waiting,
            targets=tuple(
                TargetView(
                    name=one.name,
                    deployments=one.deployments,
                    read_at=one.read_at,
                    trouble=None if one.trouble is None else one.trouble.sentence,
                    trouble_since=None if one.trouble is None else one.trouble.since,
                )
                for one in status.targets
            ),
            sources=tuple(
                SourceView(
                    name=one.name,
                    endpoint=one.endpoint,
                    polled_at=None if one.last is None else one.last.at,
                    succeeded_at=one.succeeded_at,
                    samples=None if one.last is None else one.last.samples,
                    trouble=None if one.last is None else one.last.trouble,
                )
                for one in status.sources
            ),
            circuits=tuple(
                CircuitView(dependency=one.dependency, state=one.state.value)
                for one in status.circuits
            ),
            journal=JournalView(
                mode=kept.mode.value,
                since=kept.since,
                sentence=kept.sentence,
                waiting=kept.waiting,
                dropped=kept.dropped,
                size_bytes=kept.size_bytes,
            ),
            quotas=quota_views(engine.sharing),
            spend=spend_views(engine.sharing),
        )

    def _banner(self, status: StatusSnapshot) -> Banner:
        degraded = dict.fromkeys(self._degraded(status))
        remarks = dict.fromkeys(self._remarks_now())
        lines = [BannerLine(severity=Severity.DEGRADED, sentence=one) for one in degraded]
        lines += [
            BannerLine(severity=Severity.REMARK, sentence=one)
            for one in remarks
            if one not in degraded
        ]
        return Banner(lines=tuple(lines))

    def _remarks_now(self) -> tuple[str, ...]:
        """Some of them walk the fleet, so they are not looked for at every page."""
        now = asyncio.get_running_loop().time()
        if now - self._remarked_at > REMARKS_SECONDS:
            self._remarks, self._remarked_at = self._overview.remarks(), now
        return self._remarks

    def _degraded(self, status: StatusSnapshot) -> Iterator[str]:
        yield from self._not_ready()
        age = self._overview.beat_age_seconds()
        if age > STUCK_SECONDS:
            yield f"nothing was evaluated for {age:.0f} s"
        kept = status.journal.status
        if kept.mode not in WRITABLE_MODES:
            yield f"journal is {kept.mode}: {kept.sentence}"
        for target in status.targets:
            if target.trouble is not None:
                yield f"{target.name} cannot be read: {target.trouble.sentence}"
        for source in status.sources:
            if source.last is not None and source.last.trouble is not None:
                yield f"{source.name} does not tell its load: {source.last.trouble}"
        for circuit in status.circuits:
            if circuit.state is CircuitState.OPEN:
                yield f"{circuit.dependency} is left alone for a while: {circuit.sentence}"
