"""Who is in a group with whom, and how the others stand when one of them is decided on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.deployment import State
from trimtab.core.group_mix import Part
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.policy import Mode
from trimtab.core.stages.group import Mate, Mates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.group import Group, Member
    from trimtab.core.grouped import Grouped
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import DeploymentMemory, Pair
    from trimtab.core.policy import Policy


class Mixing:
    """The groups in force."""

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.groups = tuple(groups)
        self._places = {
            member.deployment: (group, place)
            for group in reversed(self.groups)  # who is in two is the first one's
            for place, member in enumerate(group.members)
        }

    def mates_of(self, name: str) -> tuple[str, ...]:
        """Return the other members of the group of ``name``; none where it is in no group."""
        if name not in self._places:
            return ()
        group, _ = self._places[name]
        return tuple(one.deployment for one in group.members if one.deployment != name)

    def mates(
        self,
        name: str,
        now: float,
        *,
        fleet: Mapping[str, Deployment],
        memories: Mapping[str, DeploymentMemory],
        in_flight: Mapping[str, Pair],
        prices: FleetPolicy,
        lead_times: LeadTimes,
        policy_of: Callable[[Deployment], Policy | None],
    ) -> Mates | None:
        """Return the group of ``name`` as it stands; ``None``: it is in none.

        Others are in it once they were decided on, while a policy enforces.
        """
        found = self._places.get(name)
        if found is None:
            return None
        group, own_place = found
        others = []
        for place, member in enumerate(group.members):
            deployment, memory = fleet.get(member.deployment), memories.get(member.deployment)
            if place == own_place or deployment is None or memory is None:
                continue
            policy = policy_of(deployment)
            if memory.grouped is None or policy is None or policy.mode is not Mode.ENFORCE:
                continue
            flight = in_flight.get(deployment.name)
            asked = asked_replicas(deployment) if flight is None else flight.min_replicas
            lead = lead_times.of(deployment, policy.lead_time_seconds).p90_seconds
            part = part_of(deployment, memory, memory.grouped, now, asked=asked, lead_seconds=lead)
            others.append(Mate(place, memory.grouped, part))
        member = group.members[own_place]
        return Mates(group, own_place, price_of(member, fleet.get(name), prices), tuple(others))


def price_of(member: Member, deployment: Deployment | None, prices: FleetPolicy) -> float | None:
    """Return what a replica of a member costs an hour: as the group says, else its accelerators at their price."""
    if member.usd_an_hour is not None or deployment is None:
        return member.usd_an_hour
    each = deployment.shape.accelerators_per_replica
    usd = prices.usd_an_hour(deployment.shape.accelerator_type)
    return None if not each or usd is None else each * usd


def part_of(
    deployment: Deployment,
    memory: DeploymentMemory,
    grouped: Grouped,
    now: float,
    *,
    asked: int,
    lead_seconds: float,
) -> Part:
    """Return how a member stands for the others: what it is known not to get is not counted on."""
    claimed, watched = memory.claimed, memory.watched
    refusal = watched.refusal
    is_refused = refusal is not None and not refusal.is_over and now < refusal.until
    is_there = deployment.state in (State.READY, State.UPDATING) and memory.gone_at is None
    upper = grouped.upper
    if claimed is not None and claimed.entitled < claimed.wanted:
        upper = min(upper, max(asked, claimed.entitled))
    return Part(
        deployment=deployment.name,
        requests_per_second=grouped.requests_per_second,
        usd_an_hour=grouped.usd_an_hour,
        asked=asked,
        serving=min(asked, own_ready(deployment)),
        lower=min(grouped.lower, upper),
        upper=upper,
        lead_time_seconds=lead_seconds,
        is_growing=is_there and watched.stuck_at is None and not is_refused,
    )
