"""What allocation takes and gives: one claim for each deployment, and what it may have."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.fleet_policy import NO_TEAM, Pool, Preemption, Quota, Team
from trimtab.core.need import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.decision import Reason


class Claim(NamedTuple):
    """What one deployment holds, asks for and needs. Counts are replicas.

    ``accelerators`` is how many of ``accelerator_type`` each replica takes, in ``region``; ``None`` where that
    is unknown: then nothing is known of what is held either, and no more is granted where a quota is set.

    ``held`` counts against quotas now: what is asked for, or was in a write under way, whichever is more.
    ``wanted`` is what the stages before asked for. ``needed`` is the most that the rules themselves wanted within
    one lead time: what is held beyond it (kept by a window) may be reclaimed. ``least`` is how few there may be
    at once (bounds, rate limits, orders of people, the lifecycle); ``held`` where nothing may move. ``floor``
    is the lower bound: up to it, replicas come before what others would merely use.

    ``account`` is whose quota they come from; empty where the deployment's name does not say it.
    ``usd_an_hour`` is what a replica costs, ``None``: unknown. ``held_since`` is when the count last rose, and
    ``short_since`` since when it is below what was wanted; UTC seconds, ``None``: never, not.
    """

    deployment: str
    accelerator_type: str | None
    region: str
    accelerators: int | None
    held: int
    wanted: int
    needed: int
    least: int
    floor: int = 0
    need: Need = Need(0.0)
    usd_an_hour: float | None = None
    lead_time_seconds: float = 0.0
    held_since: float | None = None
    short_since: float | None = None
    priority: int = 100
    team: Team = NO_TEAM
    account: str = ""


class SpendRoom(NamedTuple):
    """How high the running rate may be, in US dollars an hour (``core/spend.py``).

    What runs is lowered down to ``keep_usd_an_hour``; nothing grows beyond ``grow_usd_an_hour``. ``limit`` says
    in words which limit the former is, ``grow_limit`` which the latter.
    """

    keep_usd_an_hour: float
    grow_usd_an_hour: float
    limit: str
    grow_limit: str


class Terms(NamedTuple):
    """What claims compete for, and how.

    ``quotas`` are those in force, the smallest for each pool. ``elsewhere`` is how many accelerators of a pool
    are in use outside of all claims, as the account says or as was known last of accounts that were not read since
    the start; ``unseen`` is the latter alone.
    """

    now: float
    quotas: Mapping[Pool, Quota] = MappingProxyType({})
    elsewhere: Mapping[Pool, int] = MappingProxyType({})
    teams: tuple[Team, ...] = ()
    spend: SpendRoom | None = None
    preemption: Preemption = Preemption.NEVER
    hold_seconds: float = 1800.0
    patience_seconds: float = 900.0
    unseen: Mapping[Pool, int] = MappingProxyType({})


class Grant(NamedTuple):
    """What one deployment may have.

    ``replicas`` may be asked for now: it is never more than ``entitled``, which is what there will be once
    others have given back what they are to give back. ``short`` is why it is not what was wanted, ``None`` if it
    is; ``pool`` the one that is too small, where one is. ``ceded_to`` is for whom it gives way.
    """

    deployment: str
    replicas: int
    entitled: int
    short: Reason | None = None
    pool: Pool | None = None
    ceded_to: str = ""


class Allocation:
    """What everybody may have. Grants are made when somebody asks for one: most are not asked for.

    ``at_once`` is by how many replicas each may be asked for more (fewer, where negative) now than the fewer of what it
    holds and wants, nothing said is 0; ``None``: everybody may have what they want. ``used`` is how many accelerators of each pool
    with a quota are granted in the end, ``usd_an_hour`` what all that is granted costs as far as prices are known.
    ``is_short``: somebody gets less than they wanted.
    """

    __slots__ = ("_claims", "_grant", "at_once", "is_short", "usd_an_hour", "used")

    def __init__(
        self,
        claims: Mapping[str, Claim],
        at_once: Mapping[str, int] | None,
        grant: Callable[[Claim, int], Grant],
        *,
        used: Mapping[Pool, int],
        usd_an_hour: float,
        is_short: bool,
    ) -> None:
        self._claims = claims
        self._grant = grant
        self.at_once = at_once
        self.used = used
        self.usd_an_hour = usd_an_hour
        self.is_short = is_short

    @property
    def grants(self) -> Mapping[str, Grant]:
        """The grants of all who get less than they wanted, by deployment."""
        return {
            name: self.of(claim)
            for name, claim in self._claims.items()
            if self.count(claim) != claim.wanted
        }

    def count(self, claim: Claim) -> int:
        """Return how many replicas ``claim`` may be asked for now."""
        if self.at_once is None:
            return claim.wanted
        return min(claim.held, claim.wanted) + self.at_once.get(claim.deployment, 0)

    def of(self, claim: Claim) -> Grant:
        """Return the grant for ``claim``."""
        replicas = self.count(claim)
        if replicas == claim.wanted:
            return Grant(claim.deployment, replicas, replicas)
        return self._grant(claim, replicas)


def as_wanted(claim: Claim, replicas: int) -> Grant:
    """Return the grant of ``replicas`` for ``claim``, which wants no more."""
    return Grant(claim.deployment, replicas, replicas)


NOTHING_SHORT = Allocation({}, None, as_wanted, used={}, usd_an_hour=0.0, is_short=False)
