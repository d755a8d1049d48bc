"""What will happen by itself: schedules that begin and end, deployments that expire, orders that run out."""

from __future__ import annotations

from enum import StrEnum

from trimtab.web.views.values import Moment, view


class UpcomingKind(StrEnum):
    """What will happen."""

    SCHEDULE = "schedule"
    """A schedule of a policy begins or ends."""

    PLATFORM_FLOOR = "platform_floor"
    """A floor that the platform raises by itself begins or ends."""

    EXPIRY = "expiry"
    OVERRIDE_END = "override_end"
    RECHECK = "recheck"
    """A window, a cooldown or a limit may let go, or a signal becomes stale: it is decided anew."""


@view
class UpcomingEvent:
    """One thing that will happen at a time that is known now."""

    at: Moment
    kind: UpcomingKind
    deployment: str | None
    """The full name; null: every deployment, or all of the policy."""

    policy: str | None
    """Of a schedule: the policy whose deployments it is for."""

    sentence: str


@view
class UpcomingWish:
    """Which events: of one deployment or of all, as far ahead as asked, the nearest first."""

    deployment: str | None = None
    horizon_seconds: float = 86_400.0
    limit: int = 100


@view
class UpcomingPage:
    """The events, the nearest first."""

    at: Moment
    until: Moment
    events: tuple[UpcomingEvent, ...]
    is_cut: bool
    """Whether there are more within the time than fit."""
