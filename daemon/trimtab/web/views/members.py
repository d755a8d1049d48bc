"""Who shares the fleet: the members, what each decides for, and who leads."""

from __future__ import annotations

from trimtab.web.views.values import Moment, view


@view
class MemberRow:
    """One daemon of those that share the fleet."""

    name: str
    """What it is called; each start of a process is another member."""

    address: str | None
    """Where its HTTP API is for the others; null: nowhere."""

    version: str | None
    started_at: Moment | None
    buckets: int
    """How many of the fleet's parts it decides for."""

    highest_term: int | None
    """The latest of the terms in which it holds them."""

    is_leading: bool
    """It shares out what the whole fleet has in common: quotas and money."""

    is_this: bool
    """It is the one that answers."""

    is_alive: bool
    """It has said so within the time of a lease."""


@view
class MembersView:
    """All members, as the one that answers saw them last."""

    at: Moment
    is_shared: bool
    """False for a process that is alone and decides for everything."""

    members: tuple[MemberRow, ...]
    buckets: int
    """Into how many parts the fleet falls."""

    buckets_free: int
    """Parts that nobody decides for at this moment."""

    seen_seconds_ago: float | None
    """How old this is; null: the coordination service has not been asked yet."""

    renewed_seconds_ago: float | None
    """When the leases of the one that answers were last renewed."""

    trouble: str | None
    """Why the coordination service does not answer; null while it does."""
