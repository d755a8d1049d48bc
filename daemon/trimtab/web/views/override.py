"""People's orders, as they are shown."""

from __future__ import annotations

from trimtab.web.views.values import Moment, view


@view
class OverrideView:
    """One order in force."""

    id: str
    kind: str
    """``pause``, ``pin`` or ``block``."""

    deployment: str | None
    """The full name; null: every deployment."""

    text: str
    """What was ordered, in words: ``paused``, ``pinned at 6``, ``blocked up``."""

    author: str
    """Whom the client named."""

    peer: str
    """The address that it came from, and the name of the token."""

    reason: str
    since: Moment
    until: Moment
    replicas: int | None = None
    """Of a pin."""

    blocks: str | None = None
    """Of a block: ``up`` or ``down``."""


@view
class OverridesView:
    """All that is ordered now, the oldest first."""

    at: Moment
    overrides: tuple[OverrideView, ...]


@view
class OverrideGiven:
    """An order that is in force now, and what else is to be known of it."""

    at: Moment
    override: OverrideView
    replaced: tuple[OverrideView, ...]
    """Those whose place it took."""

    notes: tuple[str, ...]
    """What may keep it from doing what its author expects."""


@view
class OverridesLifted:
    """Orders that were ended, and what still stands."""

    at: Moment
    deployment: str | None
    lifted: tuple[OverrideView, ...]
    remaining: tuple[OverrideView, ...]
    notes: tuple[str, ...]
