"""From checked documents of the fleet to the values that the engine uses. Nothing can fail here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import (
    FleetPolicy,
    Pool,
    Preemption,
    Price,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.core.group import Group, Member
from trimtab.policy.limits import limits_of

if TYPE_CHECKING:
    from trimtab.policy.fleet_document import FleetDocument, TeamDocument
    from trimtab.policy.group_document import GroupDocument
    from trimtab.policy.place import Located

PREEMPTION = {"never": Preemption.NEVER, "lower-priority": Preemption.LOWER_PRIORITY}


def compile_fleet(place: Located[FleetDocument]) -> FleetPolicy:
    """What one document orders; a price is from the line that says it. Shipped prices are not in it."""
    spec = place.document.spec
    return FleetPolicy(
        quotas=tuple(
            Quota(Pool(one.accelerator, one.region, one.account), one.max) for one in spec.quotas
        ),
        prices={
            kind: Price(usd, place.line(("spec", "prices", kind)))
            for kind, usd in spec.prices.items()
        },
        spend_limits=tuple(
            SpendLimit(period=period, usd=limit.usd, warn_ratio=limit.warn_at)
            for period, limit in limits_of(spec)
        ),
        timezone=spec.timezone,
        teams=tuple(map(_team, spec.teams)),
        preemption=PREEMPTION[spec.preemption],
        hold_seconds=spec.hold,
        patience_seconds=spec.patience,
        origins=(place.origin,),
    )


def _team(team: TeamDocument) -> Team:
    whose = team.deployments
    return Team(
        name=team.name,
        selector=TeamSelector(names=whose.names or (), annotations=whose.annotations or {}),
        priority=team.priority,
        weight=team.weight,
        guaranteed=team.guaranteed or {},
        borrow_max=team.borrow or {},
        lend_max=team.lend or {},
        is_protected=team.protected,
    )


def compile_group(place: Located[GroupDocument]) -> Group:
    """The group that the document describes."""
    spec = place.document.spec
    return Group(
        name=place.document.metadata.name,
        members=tuple(
            Member(
                deployment=one.deployment,
                requests_per_second=one.requests_per_second,
                usd_an_hour=one.usd_per_hour,
            )
            for one in spec.members
        ),
        horizon_seconds=spec.horizon,
        miss_price_ratio=spec.miss_price,
        origin=place.origin,
    )
