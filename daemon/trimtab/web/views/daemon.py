"""The daemon itself: what it does, what it depends on, and what of that does not work."""

from __future__ import annotations

from enum import StrEnum

from trimtab.web.views.deployment import QuotaView, SpendView
from trimtab.web.views.values import Moment, view


class Severity(StrEnum):
    """Whether trimtab does all of its work."""

    DEGRADED = "degraded"
    """Something that it should do, it does not do."""

    REMARK = "remark"
    """Somebody should mend something, and all is done meanwhile."""


@view
class BannerLine:
    """One thing that is amiss, in one sentence."""

    severity: Severity
    sentence: str


@view
class Banner:
    """What is amiss with the daemon, the worst first; nothing while all is well."""

    lines: tuple[BannerLine, ...]

    @property
    def is_degraded(self) -> bool:
        """Whether any line says that something is not done."""
        return any(line.severity is Severity.DEGRADED for line in self.lines)


@view
class TargetView:
    """A control plane's account."""

    name: str
    deployments: int
    read_at: Moment | None
    trouble: str | None
    trouble_since: Moment | None


@view
class SourceView:
    """Where load is heard."""

    name: str
    endpoint: str
    polled_at: Moment | None
    succeeded_at: Moment | None
    samples: int | None
    """Of the last poll."""

    trouble: str | None


@view
class CircuitView:
    """Whether a dependency is asked at all."""

    dependency: str
    state: str
    """``closed`` is when things work; ``open``, ``half_open``."""


@view
class JournalView:
    """How well the past is kept."""

    mode: str
    since: Moment
    sentence: str
    waiting: int
    dropped: int
    size_bytes: int | None


@view
class DaemonView:
    """The daemon as a whole."""

    at: Moment
    version: str
    started_at: Moment | None
    ticked_at: Moment | None
    """The last evaluation that succeeded."""

    is_ready: bool
    missing: tuple[str, ...]
    """What is missing before it does its work."""

    banner: Banner
    deployments: int
    policies: int
    orders_waiting: int
    targets: tuple[TargetView, ...]
    sources: tuple[SourceView, ...]
    circuits: tuple[CircuitView, ...]
    journal: JournalView
    quotas: tuple[QuotaView, ...]
    spend: tuple[SpendView, ...]
