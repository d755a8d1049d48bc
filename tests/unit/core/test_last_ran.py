"""What accounts ran when they were last read, as long as they are not read again."""

from __future__ import annotations

import json

import pytest
from tests.worlds.shared_fleet import H100, SharedFleet, full, one_of, policy_of

from trimtab.core.engine import Engine
from trimtab.core.fleet_memory import FleetMemory, fleet_memory_from_json, fleet_memory_to_json
from trimtab.core.fleet_policy import FleetPolicy, Period, Price, SpendLimit
from trimtab.core.last_ran import Ran, ran_since, unseen
from trimtab.core.memory import Memory

OTHER = Ran("other", H100, 8, 12)


def test_an_account_counts_as_it_is_seen_and_one_that_is_unread_no_less_than_it_was_known() -> None:
    seen = {("acme", H100): 4, ("other", H100): 2}
    before = (Ran("acme", H100, 6, 6), OTHER)
    assert ran_since(before, (), seen, seen) == (Ran("acme", H100, 4, 4), Ran("other", H100, 2, 2))
    assert ran_since(before, ("other",), seen, seen) == (Ran("acme", H100, 4, 4), OTHER)
    missing = unseen((OTHER,), ("other",), seen, seen)
    assert missing == ({("other", H100): 6}, {("other", H100): 10})
    assert unseen((OTHER,), ("acme",), seen, seen) == ({}, {})


def test_an_account_that_is_shown_with_more_than_was_known_counts_with_that() -> None:
    seen = {("other", H100): 20}
    assert ran_since((OTHER,), ("other",), seen, seen) == (Ran("other", H100, 20, 20),)
    assert unseen((OTHER,), ("other",), seen, seen) == ({}, {})


def test_what_an_account_that_left_the_settings_ran_is_forgotten() -> None:
    assert ran_since((OTHER,), ("acme",), {}, {}) == ()


def test_it_is_remembered_exactly_and_an_earlier_versions_memory_has_none() -> None:
    memory = FleetMemory(ran=(OTHER,))
    document = json.loads(json.dumps(fleet_memory_to_json(memory)))
    assert fleet_memory_from_json(document) == memory
    del document["ran"]
    document["spending"] = document["spending"][:6]
    assert fleet_memory_from_json(document) == FleetMemory()


def limited(usd: float, *, price: float = 10.0) -> FleetPolicy:
    limit = SpendLimit(period=Period.HOUR, usd=usd)
    return FleetPolicy(prices={H100: Price(price, "tests")}, spend_limits=(limit,))


@pytest.mark.parametrize(
    ("unread", "count"), [pytest.param((), 3, id="read"), pytest.param(("accounts/other",), 2, id="not")]
)  # fmt: skip
def test_a_limit_leaves_what_unread_accounts_do_not_cost_at_the_prices_of_now(
    unread: tuple[str, ...], count: int
) -> None:
    """Three replicas of four are $60 an hour at the new price; other's twelve accelerators are $60 too."""
    policies = [policy_of("chat", max_replicas=9)]
    engine = Engine(
        policies, Memory(shared=FleetMemory(ran=(OTHER,))), fleet=limited(100.0, price=5.0)
    )
    world = SharedFleet.of(limited(100.0), one_of("chat", 1, 4))
    world.engine = engine
    world.load(chat=3)
    tick = engine.step(
        world.now, world.deployments, world.samples(), due=[full("chat")], unread=unread
    )
    (decision,) = tick.decisions
    assert decision.desired == count
    told = [step.sentence for step in decision.trail if step.stage == "allocate"]
    assert any("less $60.00 an hour of other as known last" in one for one in told) is bool(unread)


def test_nobody_is_lowered_below_what_the_bounds_say_however_much_others_cost() -> None:
    fleet = limited(100.0)
    world = SharedFleet.of(fleet, one_of("chat", 3, 4))
    world.engine = Engine(
        [policy_of("chat", min_replicas=2, max_replicas=9)],
        Memory(shared=FleetMemory(ran=(OTHER._replace(held=100),))),
        fleet=fleet,
    )
    world.load(chat=3)
    tick = world.engine.step(
        world.now, world.deployments, world.samples(), due=[full("chat")], unread=["accounts/other"]
    )
    assert tick.decisions[0].desired == 2
