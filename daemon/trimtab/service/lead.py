"""What whoever leads remembers of the others: what it granted to them, and what they say that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.known_quotas import QuotaRefusal
    from trimtab.core.succession import ForeignClaim

GRANT_SECONDS = 10.0
"""How long a grant is good for, by the service's clock since it was posted."""

DRIFT = 1.1
"""A grant counts for so much longer with whoever gave it: two clocks may differ (``coordination.holdings``)."""

LANDING_SECONDS = 30.0
"""How long after a grant ran out a write that it allowed may still take until listings show it."""


@dataclass(slots=True)
class Given:
    """What was granted under one number, and until when it stands (monotonic, UTC); ``None``: it is being posted.

    ``terms``: in which term the bucket of each was held by whoever it was granted to.
    """

    seq: int
    counts: Mapping[str, int]
    terms: Mapping[str, int]
    until: float | None = None
    until_utc: float | None = None


@dataclass(slots=True)
class Heard:
    """What others claim, in which term, and the number of the last of our grants that the owner of each has heard of."""

    claims: dict[str, ForeignClaim] = field(default_factory=dict)
    terms: dict[str, int] = field(default_factory=dict)
    acked: dict[str, int | None] = field(default_factory=dict)
    refusals: tuple[QuotaRefusal, ...] = ()

    def may_go_by(self, given: Given, name: str) -> bool:
        """Whether somebody may still ask for what was granted to ``name``, if it stands.

        Whoever says that it knows of later grants goes by those, and of earlier ones nobody else hears. What it
        says is not said for an earlier owner, whose last write it may not know of.
        """
        if self.terms.get(name) != given.terms.get(name):
            return True
        return given.seq >= (self.acked.get(name) or 0)


@dataclass(slots=True)
class Lead:
    """How far this member has got since it leads in ``term``, which is since ``began_at``. Times are UTC seconds.

    ``has_seen``: all accounts were read since. ``fresh_at``: when what each member posted was fresh last.
    ``said``: how much of each deployment is held, as its owner says in a term; ``left``: how much earlier
    owners said, and when they last did.
    """

    term: int
    began_at: float
    grows_at: float | None = None
    has_seen: bool = False
    seq: int = 0
    given: list[Given] = field(default_factory=list)
    fresh_at: dict[str, float] = field(default_factory=dict)
    said: dict[str, tuple[int, int]] = field(default_factory=dict)
    left: dict[str, tuple[int, float]] = field(default_factory=dict)

    def landed_at(self, member: str) -> float:
        """Return when all has landed that a member may have done by what it posted and was granted."""
        return self.fresh_at[member] + GRANT_SECONDS * DRIFT + LANDING_SECONDS
