"""What is ordered for the fleet and concerns nobody in it: a misspelt name shows here, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import account_of, pools_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy


def orders_for_nobody(policy: FleetPolicy, deployments: Collection[Deployment]) -> tuple[str, ...]:
    """Say which teams, quotas and members of groups fit none of ``deployments``, and what has no price.

    A sentence for each. None of it need be a mistake: a team may have nothing to run today. Walks the
    fleet once, and once more for each team that fits nobody.
    """
    if not deployments:
        return ()
    names = {one.name for one in deployments}
    kinds = {one.shape.accelerator_type for one in deployments} - {None}
    pools = {
        pool
        for kind, region, account in {
            (one.shape.accelerator_type, one.region, account_of(one.name)) for one in deployments
        }
        for pool in pools_of(kind, region, account)
    }
    said = [
        f"the team {team.name} fits no deployment"
        for team in policy.teams
        if not any(team.selector.matches(one) for one in deployments)
    ]
    said += [
        f"the quota of {quota.pool} is for no deployment"
        for quota in policy.quotas
        if quota.pool not in pools
    ]
    said += [
        f"there is no deployment {member.deployment}, a member of the group {group.name}"
        for group in policy.groups
        for member in group.members
        if member.deployment not in names
    ]
    if policy.spend_limits:
        said += [
            f"there is no price for {kind}: nothing on it grows, because spending is limited"
            for kind in sorted(str(kind) for kind in kinds)
            if policy.usd_an_hour(kind) is None
        ]
    return tuple(said)
