"""A fleet that shares accelerators, whatever happens in whatever order: the quota holds on the wire, nothing is
forgotten by a restart, the book is what one made anew would be, and whoever may have more comes to know.

Seen to catch: orders that are not held when they are made; the begin of waiting not kept; sums that change and leave the
grants as they were. What nothing here catches alone, because other things hold it too, has examples in
``tests/unit/core/test_sharing.py``: what a write asked for and nobody has seen yet, and who is woken.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.shared_fleet import SharedFleet, full, one_of, policy_of

from trimtab.core.decision import Order
from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Pool,
    Preemption,
    Price,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.core.policy import Limit, MoveRules

NAMES = ("a", "b", "c", "d")
H100 = "NVIDIA_H100_80GB"
STEADY_SECONDS = 60.0

ACTIONS = st.one_of(
    st.tuples(st.just("load"), st.sampled_from(NAMES), st.integers(0, 8)),
    st.tuples(
        st.just("decide"), st.sets(st.sampled_from(NAMES)), st.sampled_from([1.0, 15.0, 70.0])
    ),
    st.tuples(st.just("carry out"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("show")),
    st.tuples(st.just("quota"), st.integers(0, 24)),
    st.tuples(st.just("edge")),
)


@st.composite
def fleet_policies(draw: st.DrawFn) -> FleetPolicy:
    """A quota, perhaps a team with a guarantee, perhaps a limit of the running rate."""
    total = draw(st.integers(8, 32))
    guaranteed = draw(st.sampled_from([0, 0, 4, 8]))
    teams = (
        Team(
            name="first",
            selector=TeamSelector(names=("a",)),
            priority=draw(st.sampled_from([None, 200])),
            weight=draw(st.sampled_from([1.0, 4.0])),
            guaranteed={H100: min(guaranteed, total)},
            lend_max=draw(st.sampled_from([{}, {H100: 0}])),
        ),
    )
    limits = (SpendLimit(period=Period.HOUR, usd=120.0),) if draw(st.booleans()) else ()
    return FleetPolicy(
        quotas=(Quota(Pool(H100), total),),
        prices={H100: Price(7.0, "tests")},
        spend_limits=limits,
        teams=teams if draw(st.booleans()) else (),
        preemption=draw(st.sampled_from(list(Preemption))),
        hold_seconds=60.0,
    )


def a_world(fleet: FleetPolicy) -> SharedFleet:
    down = MoveRules(
        stabilization_seconds=STEADY_SECONDS, limits=(Limit(replicas=2, period_seconds=60.0),)
    )
    return SharedFleet.of(
        fleet,
        *(one_of(name, 1, each) for name, each in zip(NAMES, (1, 2, 4, 1), strict=True)),
        **{name: policy_of(name, down=down) for name in NAMES},
    )


def act(world: SharedFleet, action: tuple[object, ...], unseen: list[Order]) -> None:
    match action:
        case ("load", str(name), int(replicas)):
            world.load(**{name: replicas})
        case ("decide", names, float(after)):
            busy = {order.deployment for order in world.open_orders}
            due = sorted({full(one) for one in names} - busy)  # type: ignore[attr-defined]  # a set of names
            world.step(due=due, after=after)
        case ("carry out", int(number), bool(is_seen)) if world.open_orders:
            order = world.open_orders[number % len(world.open_orders)]
            world.carry_out(order, is_seen=is_seen)
            if not is_seen:
                unseen.append(order)
        case ("show",):
            while unseen:
                world.show(unseen.pop(0))
        case ("quota", int(accelerators)):
            world.quota = accelerators
            world.read_quota()
        case ("edge",):
            at = world.engine.fleet_edge(world.now)
            world.step(due=(), after=0.0 if at is None else max(0.0, at - world.now))


@given(fleet=fleet_policies(), actions=st.lists(ACTIONS, max_size=25))
@settings(max_examples=200, deadline=None)
def test_no_more_is_ever_asked_for_than_the_fleet_file_allows(
    fleet: FleetPolicy, actions: list[tuple[object, ...]]
) -> None:
    world, unseen = a_world(fleet), []
    (limit,) = fleet.quotas
    most = max(limit.accelerators, world.promised())
    for action in actions:
        act(world, action, unseen)
        asked = world.promised(unseen)
        assert asked <= most
        most = max(limit.accelerators, min(most, asked))


@given(fleet=fleet_policies(), actions=st.lists(ACTIONS, min_size=3, max_size=25))
@settings(max_examples=200, deadline=None)
def test_the_book_is_what_one_made_anew_would_be_and_decides_the_same(
    fleet: FleetPolicy, actions: list[tuple[object, ...]]
) -> None:
    world, unseen = a_world(fleet), []
    world.step()
    for action in actions:
        act(world, action, unseen)
    again = world.again()
    assert dict(again.sharing.book.claims) == dict(world.engine.sharing.book.claims)
    busy = {order.deployment for order in world.open_orders}
    due = [one for one in world.deployments if one not in busy]
    world.now += 1.0
    ticks = [
        engine.step(world.now, world.deployments, due=due, changed=world.changed, absent=())
        for engine in (world.engine, again)
    ]
    assert ticks[0].decisions == ticks[1].decisions
    assert ticks[0].orders == ticks[1].orders
    assert world.engine.memory == again.memory


@given(fleet=fleet_policies(), actions=st.lists(ACTIONS, max_size=15))
@settings(max_examples=150, deadline=None)
def test_who_is_short_in_the_end_would_be_short_if_everybody_were_asked_again(
    fleet: FleetPolicy, actions: list[tuple[object, ...]]
) -> None:
    world, unseen = a_world(fleet), []
    world.step()
    for action in actions:
        act(world, action, unseen)
    act(world, ("show",), unseen)
    world.settle()
    world.step(
        after=2 * STEADY_SECONDS
    )  # windows and limits let go of everybody, by their own edges
    world.settle()
    world.step(after=2 * STEADY_SECONDS)
    world.settle()
    before = world.counts()
    world.step()
    assert not world.open_orders, [(one.deployment, one.sentence) for one in world.open_orders]
    assert world.counts() == before
