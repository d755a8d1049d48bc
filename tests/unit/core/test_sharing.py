"""What deployments that share accelerators are told, by example: who waits, who is woken, what a refusal teaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.own_autoscalers import Autoscaler, ScaledFleet
from tests.worlds.shared_fleet import (
    H100,
    POOL,
    SharedFleet,
    full,
    names_of,
    one_of,
    policy_of,
    quota,
)

from trimtab.core.decision import Reason, WriteStatus
from trimtab.core.deployment import Shape
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    FleetPolicy,
    Period,
    Preemption,
    Price,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.core.policy import Actuation, Limit, Mode, MoveRules


def reason_of(world: SharedFleet, name: str) -> Reason:
    return world.last[full(name)].verdict.reason


def test_without_a_fleet_policy_nothing_is_claimed_and_no_step_is_taken_for_the_fleet() -> None:
    world = SharedFleet.of(NO_FLEET_POLICY, one_of("a", 1, 4))
    world.load(a=5)
    world.step()
    assert world.open_orders[0].to_replicas == 5
    assert all(step.stage != "allocate" for step in world.last[full("a")].trail)
    assert world.engine.memory.deployments[full("a")].claimed is None
    assert world.engine.fleet_edge(world.now) is None


def test_what_is_not_there_is_not_asked_for_and_the_sentence_says_who_has_it() -> None:
    world = SharedFleet.of(quota(16), one_of("chat", 2, 4), one_of("batch", 1, 4))
    world.load(chat=2, batch=4)
    world.step()
    assert world.open_orders[0].to_replicas == 2
    assert "quota NVIDIA_H100_80GB 16, 4 a replica -> at most 4, 2 held by chat: 2 of 4" in (
        world.sentence("batch")
    )
    world.settle()
    assert world.counts() == {"chat": 2, "batch": 2}
    assert reason_of(world, "batch") is Reason.QUOTA


def test_the_quota_alone_is_an_end_of_the_bounds_with_its_name() -> None:
    world = SharedFleet.of(quota(10), one_of("chat", 1, 4))
    world.load(chat=9)
    world.step()
    bounds = world.last[full("chat")].bounds
    assert bounds is not None
    assert (bounds.upper.replicas, bounds.upper.set_by) == (
        2,
        "quota NVIDIA_H100_80GB 10, 4 a replica",
    )


def test_a_quota_below_a_lower_bound_wins_and_one_that_shrank_takes_nothing_that_is_needed() -> (
    None
):
    world = SharedFleet.of(
        quota(8), one_of("chat", 1, 4), chat=policy_of("chat", min_replicas=4, max_replicas=9)
    )
    world.load(chat=4)
    world.step()
    world.settle()
    assert world.counts() == {"chat": 2}
    world.engine.replace_policies(world.policies.values(), quota(4))
    world.step(after=400.0)
    world.settle()
    assert world.counts() == {"chat": 2}


def test_who_waits_is_woken_when_others_were_seen_without_it_and_not_before() -> None:
    world = SharedFleet.of(quota(8), one_of("chat", 2, 4), one_of("batch", 0, 4))
    world.load(chat=2, batch=1)
    world.step()
    assert not world.open_orders
    world.load(chat=1)
    world.step("chat", after=400.0)
    (order,) = world.open_orders
    assert order.to_replicas == 1
    assert world.stirred == set()
    world.carry_out(order, is_seen=False)
    world.step(due=(), after=1.0)
    assert world.stirred == set()
    world.show(order)
    world.step(due=(), after=1.0)
    assert names_of(world.stirred) == ["batch"]
    world.settle()
    assert world.counts() == {"chat": 1, "batch": 1}


def test_what_was_asked_for_counts_until_a_later_look_even_if_it_is_not_wanted_any_more() -> None:
    """Seen to catch: what is held told by what is seen alone."""
    world = SharedFleet.of(quota(8), one_of("chat", 1, 4), one_of("batch", 0, 4))
    world.load(chat=2, batch=0)
    world.step()
    (order,) = world.open_orders
    world.carry_out(order, is_seen=False)
    world.load(chat=1, batch=1)
    world.step("chat", after=1.0)
    world.step("batch", after=1.0)
    assert not world.open_orders
    assert reason_of(world, "batch") is Reason.NOT_FREE_YET


def test_what_a_window_keeps_without_need_is_given_to_an_owner() -> None:
    own = Team(name="chat", selector=TeamSelector(names=("chat",)), guaranteed={H100: 8})
    slow = MoveRules(stabilization_seconds=3600.0)
    world = SharedFleet.of(
        quota(8, teams=(own,)),
        one_of("chat", 0, 4),
        one_of("batch", 2, 4),
        batch=policy_of("batch", down=slow),
    )
    world.load(chat=0, batch=2)
    world.step()
    world.load(batch=1)
    world.step("batch", after=1500.0)
    assert reason_of(world, "batch") is Reason.STABILIZING
    world.load(chat=1)
    world.step("chat", after=1.0)
    assert reason_of(world, "chat") is Reason.NOT_FREE_YET
    world.settle()
    assert world.counts() == {"chat": 1, "batch": 1}


@pytest.mark.parametrize("told", [True, False])
def test_a_refusal_leads_to_the_same_counts_as_a_quota_that_was_known_without_a_storm(
    told: bool,
) -> None:
    ones = [one_of(name, 1, 4) for name in ("a", "b", "c")]
    known = SharedFleet.of(quota(16), *ones, quota=16)
    refused = SharedFleet.of(FleetPolicy(prices={H100: Price(7.0, "tests")}), *ones, quota=16)
    refused.tells_of_quota = told
    for world in (known, refused):
        world.load(a=1, b=1, c=1)
        world.step()
        world.load(a=3, b=3, c=3)
        world.step(after=15.0)
        world.settle()
    assert sum(known.counts().values()) == 4
    assert known.refusals == 0
    # What says nothing but no teaches that there is no more than is held, until one more is tried.
    assert sum(refused.counts().values()) == (4 if told else 3)
    assert refused.refusals <= 3  # those that were asked for at once, before anybody knew
    first = refused.refusals
    for _ in range(40):  # ten minutes
        refused.step(after=15.0)
        refused.settle()
    assert refused.refusals - first <= 4  # pauses of 1, 2, 4 minutes
    assert sum(refused.counts().values()) == 4
    short = [
        one for one in ("a", "b", "c") if refused.last[full(one)].verdict.reason is Reason.QUOTA
    ]
    assert len(short) >= 2


def test_what_the_account_raises_is_found_by_its_endpoint_at_once_and_without_it_by_probes() -> (
    None
):
    ones = [one_of(name, 1, 4) for name in ("a", "b", "c")]
    told = SharedFleet.of(FleetPolicy(prices={H100: Price(7.0, "tests")}), *ones, quota=16)
    probing = SharedFleet.of(FleetPolicy(prices={H100: Price(7.0, "tests")}), *ones, quota=16)
    for world in (told, probing):
        world.load(a=3, b=3, c=3)
        world.step()
        world.settle()
        assert sum(world.counts().values()) == 4
        world.quota = 36
    told.read_quota()
    assert told.engine.fleet_edge(told.now) == told.now
    told.settle()
    assert told.counts() == {"a": 3, "b": 3, "c": 3}
    for _ in range(20):  # five minutes
        probing.step(after=15.0)
        probing.settle()
    assert probing.counts() == {"a": 3, "b": 3, "c": 3}


def test_accelerators_in_use_outside_of_all_deployments_are_taken_off() -> None:
    world = SharedFleet.of(quota(16), one_of("chat", 1, 4), quota=16, elsewhere=8)
    world.step()
    world.read_quota()
    world.load(chat=4)
    world.step(after=1.0)
    world.settle()
    assert world.counts() == {"chat": 2}
    assert "8 accelerators in use outside of all deployments" in world.sentence("chat")
    assert world.refusals == 0


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("used", "expected"), [(12, 8), (8, 8), (4, 4), (0, 0)])
def test_no_more_is_believed_to_be_in_use_elsewhere_while_no_deployment_is_seen(
    used: int, expected: int, *, is_restarted: bool
) -> None:
    world = SharedFleet.of(quota(16), one_of("chat", 1, 4), quota=16, elsewhere=8)
    world.step()
    world.read_quota()
    if is_restarted:
        memory = world.engine.memory
        world.engine = Engine(world.policies.values(), memory, fleet=world.fleet)
    else:
        world.engine.step(world.now + 1.0, {}, due=(), changed=(), absent=[full("chat")])
    world.deployments, world.now, world.elsewhere = {}, world.now + 60.0, used
    for _ in range(2):
        world.read_quota()
        world.now += 60.0
    (known,) = world.engine.shared.quotas.account
    assert known.elsewhere == expected


def test_who_only_advises_takes_part_in_the_sums_and_in_nothing_else() -> None:
    world = SharedFleet.of(
        quota(12),
        one_of("chat", 1, 4),
        one_of("idea", 2, 4),
        idea=policy_of("idea", mode=Mode.ADVISE),
    )
    world.load(chat=3, idea=0)
    world.step()
    world.settle()
    assert world.counts() == {"chat": 1, "idea": 2}
    assert world.last[full("idea")].actual == 2


def test_what_takes_nobody_knows_what_does_not_grow_while_there_are_quotas() -> None:
    blank = replace(one_of("odd", 1, 1), shape=Shape())
    world = SharedFleet.of(quota(16), blank)
    world.load(odd=3)
    world.step()
    assert reason_of(world, "odd") is Reason.NO_SHAPE
    assert not world.open_orders


def test_a_limit_of_the_running_rate_stops_growth_and_then_lowers_the_lowest_priority() -> None:
    limit = SpendLimit(period=Period.HOUR, usd=60.0)
    money = FleetPolicy(prices={H100: Price(5.0, "tests")}, spend_limits=(limit,))
    world = SharedFleet.of(
        money,
        one_of("chat", 1, 4),
        one_of("batch", 2, 4),
        chat=policy_of("chat", priority=200),
    )
    world.load(chat=3, batch=2)
    world.step()
    world.settle()
    assert world.counts() == {"chat": 1, "batch": 2}
    assert "the limit of $60 an hour" in world.sentence("chat")
    less = replace(money, spend_limits=(replace(limit, usd=40.0),))
    world.engine.replace_policies(world.policies.values(), less)
    world.step(after=400.0)
    world.settle()
    assert world.counts() == {"chat": 1, "batch": 1}
    assert reason_of(world, "batch") is Reason.SPEND_LIMIT


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_preemption_takes_what_a_lower_priority_needs_once_its_hold_is_over_at_any_weight(
    weight: float,
) -> None:
    dear = Team(name="dear", selector=TeamSelector(names=("chat",)), priority=200, weight=weight)
    fleet = quota(8, teams=(dear,), preemption=Preemption.LOWER_PRIORITY, hold_seconds=1800.0)
    limits = MoveRules(stabilization_seconds=0.0, limits=(Limit(replicas=9, period_seconds=60.0),))
    world = SharedFleet.of(
        fleet,
        one_of("chat", 0, 4),
        one_of("batch", 1, 4),
        chat=policy_of("chat", lead_time_seconds=60.0),
        batch=policy_of("batch", down=limits, lead_time_seconds=60.0),
    )
    world.load(chat=0, batch=2)
    world.step()
    world.settle()
    assert world.counts() == {"chat": 0, "batch": 2}
    world.load(chat=1)
    world.step("chat", after=600.0)
    world.settle()
    assert world.counts() == {"chat": 0, "batch": 2}
    for _ in range(100):
        at = world.engine.fleet_edge(world.now)
        assert at is not None
        world.step(due=(), after=at - world.now)
        if world.stirred:
            break
    world.settle()
    assert world.counts() == {"chat": 1, "batch": 1}
    assert reason_of(world, "batch") in (Reason.PREEMPTED, Reason.QUOTA)
    assert POOL in world.engine.sharing.quotas


def test_a_write_under_way_holds_what_it_asks_for_also_against_who_comes_first() -> None:
    """Seen to catch: a write in flight that counts for nothing until it has ended."""
    first = Team(name="first", selector=TeamSelector(names=("chat",)), priority=200)
    world = SharedFleet.of(quota(12, teams=(first,)), one_of("batch", 1, 4), one_of("chat", 1, 4))
    world.load(batch=2, chat=1)
    world.step()
    (order,) = world.open_orders
    assert (order.deployment, order.to_replicas) == (full("batch"), 2)
    world.load(chat=3)
    world.step("chat", after=5.0)
    assert world.open_orders == [order], "the third replica is promised already"
    assert reason_of(world, "chat") is Reason.QUOTA
    assert world.engine.sharing.book.held()[POOL] == 12
    world.end(world.open_orders.pop(), WriteStatus.NOT_APPLIED)
    world.step("chat", "batch", after=1.0)
    assert [(one.deployment, one.to_replicas) for one in world.open_orders] == [(full("chat"), 2)]


def test_what_the_platform_has_added_above_a_floor_is_given_to_nobody() -> None:
    """Where only the lower end is written, replicas beyond it are the platform's to take back."""
    first = Team(name="first", selector=TeamSelector(names=("chat",)), guaranteed={H100: 8})
    world = SharedFleet.of(
        quota(12, teams=(first,)),
        one_of("batch", 2, 4),
        one_of("chat", 1, 4),
        batch=policy_of("batch", actuation=Actuation.FLOOR),
    )
    world.load(batch=1, chat=2)
    world.step()
    claim = world.engine.sharing.book.claim(full("batch"))
    assert claim is not None
    assert (claim.held, claim.wanted, claim.least) == (2, 2, 2)
    assert reason_of(world, "chat") is Reason.QUOTA


def test_a_floor_gives_way_once_and_stays_there_while_the_platform_holds_what_was_above_it() -> (
    None
):
    """Seen to catch: whoever gives way asked for nothing more, once a limit lets its floor rise by one."""
    one_a_minute = MoveRules(
        stabilization_seconds=0.0, limits=(Limit(replicas=1, period_seconds=60.0),)
    )
    batch = policy_of("batch", actuation=Actuation.FLOOR, up=one_a_minute)
    world = ScaledFleet(
        {full("batch"): one_of("batch", 3, 1), full("chat"): one_of("chat", 2, 1)},
        {full("batch"): batch, full("chat"): policy_of("chat", priority=200)},
        quota(5, preemption=Preemption.LOWER_PRIORITY),
        autoscalers={
            full("batch"): Autoscaler(wants=1, down_seconds=1800.0),
            full("chat"): Autoscaler(wants=2),
        },
    )
    world.load(batch=3, chat=2)
    world.live(20)
    less = quota(3, preemption=Preemption.LOWER_PRIORITY)
    world.engine.replace_policies(world.policies.values(), less)
    world.live(100)
    assert world.counts() == {"batch": 3, "chat": 2}
    world.live(100)
    assert world.counts() == {"batch": 1, "chat": 2}
    assert [count for _, count in world.moves[full("batch")]] == [1, 2, 3, 1]


def test_what_the_platform_takes_back_above_a_floor_is_not_asked_for_again() -> None:
    """Seen to catch: what was held when it was decided on, taken for what is wanted."""
    world = SharedFleet.of(
        quota(12),
        one_of("batch", 3, 4, min_replicas=1),
        one_of("chat", 0, 4),
        batch=policy_of("batch", actuation=Actuation.FLOOR),
    )
    world.load(batch=1, chat=1)
    world.step("batch")
    world.settle()
    assert world.counts() == {"batch": 3, "chat": 0}
    less = replace(world.deployments[full("batch")], desired_replicas=1, observed_at=world.now)
    world.deployments[full("batch")] = less
    world.changed.add(full("batch"))
    world.step("chat", after=1.0)
    claim = world.engine.sharing.book.claim(full("batch"))
    assert claim is not None
    assert (claim.held, claim.wanted) == (1, 1)


def test_money_that_others_have_yet_to_give_back_is_not_spent() -> None:
    """Seen to catch: growth within the limit of what is kept, while more than that still runs."""
    limit = SpendLimit(period=Period.HOUR, usd=60.0)
    money = FleetPolicy(prices={H100: Price(5.0, "tests")}, spend_limits=(limit,))
    world = SharedFleet.of(
        money, one_of("batch", 2, 4), one_of("chat", 0, 4), chat=policy_of("chat", priority=200)
    )
    world.load(batch=2, chat=0)
    world.step()
    world.load(batch=1, chat=2)
    world.step(after=400.0)
    assert [(one.deployment, one.to_replicas) for one in world.open_orders] == [
        (full("batch"), 1),
        (full("chat"), 1),
    ]
    world.settle()
    assert world.counts() == {"batch": 1, "chat": 2}


def test_what_an_order_holds_is_shared_out_at_once_and_then_there_is_nothing_to_do() -> None:
    """Seen to catch: grants that are behind what is held, and nobody who looks."""
    world = SharedFleet.of(quota(16), one_of("chat", 1, 4), one_of("batch", 1, 4))
    world.load(chat=3, batch=3)
    world.step()
    assert world.open_orders
    assert world.engine.fleet_edge(world.now) == world.now
    world.step(due=())
    assert world.engine.fleet_edge(world.now) is None
