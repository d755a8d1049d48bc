"""What SREs ordered for the whole fleet, compiled from ``kind: Fleet``: quotas, prices, limits, teams.

Plain values, as ``core/policy.py`` has them for one deployment. The documents and their diagnostics live
in ``trimtab/policy``. Several files become one value (``merged``); what contradicts itself between
files is their author's mistake and found there, not here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.deployment import PRIORITY_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.group import Group
    from trimtab.core.policy import Policy


PRIORITY_MAX = 1_000_000
_PRIORITY = re.compile(r"[0-9]{1,7}", re.ASCII)


class Pool(NamedTuple):
    """Accelerators that are counted together: all of a type, or of these those of a region or an account.

    ``None``: of all of them. A region counts what is in its parts as well: ``EU`` all whose names begin with ``EU_``.
    """

    accelerator_type: str
    region: str | None = None
    account: str | None = None

    def __str__(self) -> str:
        where = "" if self.region is None else f" in {self.region}"
        whose = "" if self.account is None else f" of {self.account}"
        return f"{self.accelerator_type}{where}{whose}"


def account_of(deployment: str) -> str:
    """Return whose a full name says that it is: ``acme`` of ``accounts/acme/deployments/x``; else nobody's.

    Of a workload it is its cluster, by the name that the settings give it.
    """
    head, _, rest = deployment.partition("/")
    account, _, tail = rest.partition("/")
    return account if head in ("accounts", "clusters") and tail else ""


@lru_cache(maxsize=4096)
def pools_of(accelerator_type: str | None, region: str, account: str) -> tuple[Pool, ...]:
    """Return the pools that such replicas come from, whether they have a quota or not, the widest first.

    Both hold: what the whole type allows, and what its region, the parts of the world it is in, and its account do.
    """
    if accelerator_type is None:
        return ()
    steps = region.split("_") if region else []
    regions = [None, *("_".join(steps[: count + 1]) for count in range(len(steps)))]
    accounts = [None, account] if account else [None]
    return tuple(Pool(accelerator_type, where, whose) for where in regions for whose in accounts)


def pools_around(deployment: Deployment) -> tuple[Pool, ...]:
    """Return the pools that replicas of ``deployment`` come from; none while its hardware is unknown."""
    account = account_of(deployment.name)
    return pools_of(deployment.shape.accelerator_type, deployment.region, account)


class QuotaSource(StrEnum):
    """Who says how many there are. The smallest of several wins."""

    FILE = "file"
    ACCOUNT = "account"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``accelerators`` of ``pool`` may be asked for, over all deployments."""

    pool: Pool
    accelerators: int
    source: QuotaSource = QuotaSource.FILE


@dataclass(frozen=True, slots=True)
class Price:
    """What one accelerator costs an hour, in US dollars, and where that is from (a source and its date)."""

    usd_an_hour: float
    source: str


class Period(StrEnum):
    """What a spend limit is over. An hour's is a limit of the running rate; the others are budgets."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimit:
    """At most ``usd`` in every ``period``; people are warned from ``warn_ratio`` of it on (0 to 1)."""

    period: Period
    usd: float
    warn_ratio: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSelector:
    """Whose deployments are a team's: any of the patterns, or all of the annotations.

    ``names`` are shell globs on the last part of the full name and on the display name.
    """

    names: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    def matches(self, deployment: Deployment) -> bool:
        """Whether ``deployment`` is the team's."""
        own = (deployment.name.rpartition("/")[2], deployment.display_name)
        if any(fnmatchcase(name, glob) for glob in self.names for name in own if name):
            return True
        found = deployment.annotations
        return bool(self.annotations) and all(
            found.get(key) == value for key, value in self.annotations.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Deployments that share a guarantee. All counts are accelerators, by accelerator type.

    ``guaranteed``: what the team gets before anybody gets more. ``borrow_max``: how many beyond these it
    may hold; a type that is not in it: any number that is free. ``lend_max``: how many of the guaranteed ones
    others may use while the team does not; a type that is not in it: all. What is lent comes back only when
    the borrower does not need it, or by preemption; what is never lent is always there.
    ``priority`` replaces that of the policies (``None``: theirs); ``weight`` is how much a miss of this team
    counts beside another's (> 0). ``is_protected``: a spend limit never takes what is guaranteed.
    """

    name: str
    selector: TeamSelector
    priority: int | None = None
    weight: float = 1.0
    guaranteed: Mapping[str, int] = field(default_factory=dict)
    borrow_max: Mapping[str, int] = field(default_factory=dict)
    lend_max: Mapping[str, int] = field(default_factory=dict)
    is_protected: bool = False


NO_TEAM = Team(name="", selector=TeamSelector())
"""Of deployments that are no team's: nothing is guaranteed, everything may be borrowed."""


class Preemption(StrEnum):
    """Whether a replica that its deployment needs may be taken for another deployment."""

    NEVER = "never"
    LOWER_PRIORITY = "lower_priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPolicy:
    """Everything ordered for the fleet. Empty: nothing is limited, and allocation passes every wish.

    ``timezone`` is the account's, in which days and months end (an IANA name). ``hold_seconds``: for how long a
    replica that was taken over is kept at least, and over which a cold start is weighed against the gain.
    ``patience_seconds``: every time a deployment has waited so long, its wish counts twice as much among those
    of its priority. ``groups`` are deployments whose demand is met together.
    """

    quotas: tuple[Quota, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    spend_limits: tuple[SpendLimit, ...] = ()
    timezone: str = "UTC"
    teams: tuple[Team, ...] = ()
    preemption: Preemption = Preemption.NEVER
    hold_seconds: float = 1800.0
    patience_seconds: float = 900.0
    origins: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()

    def team_of(self, deployment: Deployment) -> Team:
        """Return the first team that ``deployment`` is of, in the order of the files."""
        for team in self.teams:
            if team.selector.matches(deployment):
                return team
        return NO_TEAM

    def usd_an_hour(self, accelerator_type: str | None) -> float | None:
        """Return what one accelerator costs an hour; ``None``: unknown, which is never nothing."""
        price = None if accelerator_type is None else self.prices.get(accelerator_type)
        return None if price is None else price.usd_an_hour


NO_FLEET_POLICY = FleetPolicy()


def priority_of(team: Team, policy: Policy | None, deployment: Deployment | None = None) -> int:
    """Return who is served first: the team's priority, else the deployment's own, else the policy's; higher first."""
    if team.priority is not None:
        return team.priority
    own = None if deployment is None else deployment.annotations.get(PRIORITY_ANNOTATION)
    if own is not None and policy is not None and _PRIORITY.fullmatch(own):
        return min(int(own), PRIORITY_MAX)
    return 0 if policy is None else policy.priority


def merged(parts: Iterable[FleetPolicy]) -> FleetPolicy:
    """Return one value for several files. Single settings come from the first file that changes them."""
    found = tuple(parts)
    if len(found) == 1:
        return found[0]
    prices: dict[str, Price] = {}
    for part in reversed(found):
        prices.update(part.prices)
    plain = NO_FLEET_POLICY
    zones = (one.timezone for one in found if one.timezone != plain.timezone)
    preemptions = (one.preemption for one in found if one.preemption is not plain.preemption)
    holds = (one.hold_seconds for one in found if one.hold_seconds != plain.hold_seconds)
    patiences = (
        one.patience_seconds for one in found if one.patience_seconds != plain.patience_seconds
    )
    return FleetPolicy(
        quotas=tuple(quota for one in found for quota in one.quotas),
        prices=prices,
        spend_limits=tuple(limit for one in found for limit in one.spend_limits),
        timezone=next(zones, plain.timezone),
        teams=tuple(team for one in found for team in one.teams),
        preemption=next(preemptions, plain.preemption),
        hold_seconds=next(holds, plain.hold_seconds),
        patience_seconds=next(patiences, plain.patience_seconds),
        origins=tuple(origin for one in found for origin in one.origins),
        groups=tuple(group for one in found for group in one.groups),
    )
