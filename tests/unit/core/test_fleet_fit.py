"""What is ordered for the fleet and concerns nobody in it is said."""

from __future__ import annotations

from trimtab.core.deployment import Deployment, Shape
from trimtab.core.fleet_fit import orders_for_nobody
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    FleetPolicy,
    Period,
    Pool,
    Price,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.core.group import Group, Member

CHAT = Deployment(
    name="accounts/acme/deployments/chat-eu",
    region="EU_FRANKFURT_1",
    shape=Shape(accelerator_type="H100", accelerators_per_replica=4),
)


def team(name: str, glob: str) -> Team:
    return Team(name=name, selector=TeamSelector(names=(glob,)))


def test_what_fits_somebody_is_not_mentioned() -> None:
    policy = FleetPolicy(
        quotas=(Quota(Pool("H100"), 8), Quota(Pool("H100", "EU_FRANKFURT_1"), 8)),
        prices={"H100": Price(7.0, "here")},
        spend_limits=(SpendLimit(period=Period.HOUR, usd=100.0),),
        teams=(team("chat", "chat-*"),),
        groups=(Group(name="chat", members=(Member(deployment=CHAT.name),)),),
    )
    assert orders_for_nobody(policy, [CHAT]) == ()
    assert orders_for_nobody(NO_FLEET_POLICY, [CHAT]) == ()


def test_what_fits_nobody_is_said_one_sentence_for_each() -> None:
    policy = FleetPolicy(
        quotas=(Quota(Pool("H200"), 8), Quota(Pool("H100", "US_IOWA_1"), 8)),
        spend_limits=(SpendLimit(period=Period.HOUR, usd=100.0),),
        teams=(team("chat", "chat-*"), team("research", "lab-*")),
        groups=(Group(name="chat", members=(Member(deployment="accounts/acme/deployments/x"),)),),
    )
    assert orders_for_nobody(policy, [CHAT]) == (
        "the team research fits no deployment",
        "the quota of H200 is for no deployment",
        "the quota of H100 in US_IOWA_1 is for no deployment",
        "there is no deployment accounts/acme/deployments/x, a member of the group chat",
        "there is no price for H100: nothing on it grows, because spending is limited",
    )


def test_an_empty_fleet_says_nothing_about_its_orders() -> None:
    policy = FleetPolicy(teams=(team("research", "lab-*"),))
    assert orders_for_nobody(policy, []) == ()
