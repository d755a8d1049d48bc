"""What only one file can order: the names, deployments, quotas and settings that it takes for itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy import codes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.group import Group
    from trimtab.core.policy import Policy
    from trimtab.policy.codes import Code
    from trimtab.policy.reports import FileReport

SINGLE_SETTINGS = ("timezone", "preemption", "hold_seconds", "patience_seconds")


class Claim(NamedTuple):
    """One thing that only one file can have: of which sort, and which."""

    sort: str
    thing: object


class Claimant(NamedTuple):
    """Who claims it: its name if it is a policy, where it is from, and the thing in words."""

    name: str
    origin: str
    words: str

    def code(self, claim: Claim) -> Code:
        """The diagnostic for a second one."""
        return _CODES.get(claim.sort, codes.SAID_TWICE)


_CODES = {
    "policy name": codes.DUPLICATE_POLICY,
    "selector": codes.SAME_DEPLOYMENT,
    "member": codes.IN_TWO_GROUPS,
}


@dataclass(frozen=True, slots=True)
class Ordered:
    """Everything that one file orders."""

    policies: tuple[Policy, ...] = ()
    fleets: tuple[FleetPolicy, ...] = ()
    groups: tuple[Group, ...] = ()

    @classmethod
    def by(cls, file: FileReport) -> Self:
        """What a file orders by itself."""
        return cls(file.policies, file.fleets, file.groups)

    def __bool__(self) -> bool:
        return bool(self.policies or self.fleets or self.groups)

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it: policies by their names, the others by what they are."""
        return (
            *(policy.name for policy in self.policies),
            *(f"the Fleet at {fleet.origins[0]}" for fleet in self.fleets),
            *(f"the Group {group.name}" for group in self.groups),
        )

    def claims(self) -> Iterator[tuple[Claim, Claimant]]:
        """What it takes for itself, and who does."""
        for policy in self.policies:
            for claim, words in _of_policy(policy):
                yield claim, Claimant(policy.name, policy.origin, words)
        for fleet in self.fleets:
            for claim, words in _of_fleet(fleet):
                yield claim, Claimant("", fleet.origins[0], words)
        for group in self.groups:
            for claim, words in _of_group(group):
                yield claim, Claimant("", group.origin, words)

    def without(self, taken: Collection[Claim]) -> Ordered:
        """What is left when others have what is ``taken``."""
        return Ordered(
            tuple(one for one in self.policies if not _has(_of_policy(one), taken)),
            tuple(_less(one, taken) for one in self.fleets),
            tuple(one for one in self.groups if not _has(_of_group(one), taken)),
        )


def _of_policy(policy: Policy) -> Iterator[tuple[Claim, str]]:
    yield Claim("selector", policy.selector), f"what `{policy.name}` is for"
    yield Claim("policy name", policy.name), f"the policy name `{policy.name}`"


def _of_fleet(fleet: FleetPolicy) -> Iterator[tuple[Claim, str]]:
    for quota in fleet.quotas:
        yield Claim("quota", quota.pool), f"the quota of {quota.pool}"
    for kind in fleet.prices:
        yield Claim("price", kind), f"the price of {kind}"
    for limit in fleet.spend_limits:
        yield Claim("limit", limit.period), f"the limit of spending per {limit.period}"
    for team in fleet.teams:
        yield Claim("team", team.name), f"the team `{team.name}`"
    for setting in SINGLE_SETTINGS:
        if getattr(fleet, setting) != getattr(NO_FLEET_POLICY, setting):
            words = setting.removesuffix("_seconds")
            yield Claim("setting", setting), f"the setting `spec.{words}` of the fleet"


def _of_group(group: Group) -> Iterator[tuple[Claim, str]]:
    yield Claim("group name", group.name), f"the name `{group.name}` of a Group"
    for member in group.members:
        yield Claim("member", member.deployment), f"the member `{member.deployment}`"


def _has(claims: Iterator[tuple[Claim, str]], taken: Collection[Claim]) -> bool:
    return any(claim in taken for claim, _ in claims)


def _less(fleet: FleetPolicy, taken: Collection[Claim]) -> FleetPolicy:
    settings = {
        setting: getattr(NO_FLEET_POLICY, setting)
        for setting in SINGLE_SETTINGS
        if Claim("setting", setting) in taken
    }
    return replace(
        fleet,
        quotas=tuple(one for one in fleet.quotas if Claim("quota", one.pool) not in taken),
        prices={
            kind: one for kind, one in fleet.prices.items() if Claim("price", kind) not in taken
        },
        spend_limits=tuple(
            one for one in fleet.spend_limits if Claim("limit", one.period) not in taken
        ),
        teams=tuple(one for one in fleet.teams if Claim("team", one.name) not in taken),
        **settings,
    )
