"""What another policy would have decided over the last hours, as far as the journal can tell."""

from __future__ import annotations

from trimtab.web.views.policies import DiagnosticView
from trimtab.web.views.values import Moment, view


@view
class WhatIfWish:
    """A policy text, for which deployments, over which time."""

    text: str
    """One or more documents, as in a file; policies in force have no say meanwhile."""

    deployment: str | None = None
    """Left out, all that the text matches, as far as there is time for them."""

    hours: float = 3.0


@view
class WhatIfDecision:
    """Where it would have been decided otherwise than before, or than it was."""

    at: Moment
    verdict: str
    reason: str
    desired: int
    """As this policy would have had it."""

    actual: int
    """As it was."""

    sentence: str


@view
class WhatIfDeployment:
    """One deployment under the other policy."""

    deployment: str
    policy: str | None
    """That of the text which matches; null where none or several do."""

    evaluations: int
    replica_hours: float
    """Asked for by this policy, over the time that was replayed."""

    actual_replica_hours: float
    ups: int
    downs: int
    replicas_max: int
    decisions: tuple[WhatIfDecision, ...]
    """The newest of those in which the count or the reason changed."""

    is_cut: bool


@view
class WhatIfView:
    """What would have been decided, and what that does not say."""

    since: Moment | None
    """From when on there were entries to go by; null: there were none."""

    until: Moment | None
    turns: int
    deployments: tuple[WhatIfDeployment, ...]
    diagnostics: tuple[DiagnosticView, ...]
    """Of the text. With an error in them nothing was replayed."""

    is_complete: bool
    """Whether the whole time was replayed, within the limits of one request."""

    caveats: tuple[str, ...]
    """What cannot be known from what was recorded."""
