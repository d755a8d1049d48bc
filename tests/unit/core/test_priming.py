"""Which rules would hear of the past, and what they are told of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest
from tests.worlds.journal_world import POLICY, Life, name_of

from trimtab.core.forecast.known import Known
from trimtab.core.past import PastValue
from trimtab.core.policy import Policy
from trimtab.core.priming import Priming, joined_memory
from trimtab.core.proposals import JsonValue
from trimtab.core.signals import Per

AHEAD = POLICY.replace(
    "{type: target, signal: load, target: 10}",
    "{type: capacity, requests: load, capacity: {requestsPerSecond: 10}}",
)
CHAT = name_of(0)


def ended(pieces: Generator[None, None, JsonValue]) -> JsonValue:
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        found: JsonValue = end.value
        return found


@pytest.fixture
def life() -> Life:
    life = Life(lambda _: None, deployments=1, policy=AHEAD)
    life.turn(load=60.0)
    return life


def cold(life: Life) -> tuple[Priming, ...]:
    found = life.engine.cold_rules(CHAT, life.now)
    assert found is not None
    return found


def an_hour_and_more(life: Life, load: float = 50.0) -> list[PastValue]:
    return [PastValue(life.now - 60.0 * n, load, 60.0) for n in range(90, -1, -1)]


def test_a_rule_that_begins_names_its_signals_and_what_is_allowed(life: Life) -> None:
    (one,) = cold(life)
    assert (one.deployment, one.rule, one.policy) == (CHAT, "demand", "chat")
    assert [spec.query for spec in one.specs] == ["requests_per_second"]
    assert one.view.bounds is not None
    assert one.view.bounds.upper.replicas == 10
    assert one.view.current == 2


def test_of_a_deployment_that_was_not_looked_at_nothing_can_be_said(life: Life) -> None:
    assert life.engine.cold_rules("accounts/acme/deployments/nobody", life.now) is None


def test_rules_whose_strategies_have_no_use_for_the_past_are_left_out() -> None:
    life = Life(lambda _: None, deployments=1)
    life.turn(load=60.0)
    assert cold(life) == ()


def test_a_signal_over_each_replica_tells_nothing_of_the_past(life: Life) -> None:
    (policy,) = life.engine.policies
    life.engine.replace_policies([per_replica(policy)])
    assert cold(life) == ()


def per_replica(policy: Policy) -> Policy:
    return replace(policy, signals=tuple(replace(one, per=Per.REPLICA) for one in policy.signals))


def test_what_lies_ahead_of_now_is_never_learned_from(life: Life) -> None:
    """Seen to catch: values after now that are lived through."""
    (one,) = cold(life)
    known = an_hour_and_more(life)
    ahead = [PastValue(life.now + 60.0 * n, 5000.0, 60.0) for n in range(1, 30)]
    assert ended(one.live_through({"load": known})) == ended(
        one.live_through({"load": [*known, *ahead]})
    )


def test_the_engine_goes_on_from_it_and_then_it_is_warm(life: Life) -> None:
    (one,) = cold(life)
    remembered = joined_memory(one, ended(one.live_through({"load": an_hour_and_more(life)})))
    assert remembered is not None
    life.engine.prime(CHAT, "demand", remembered)
    assert cold(life) == ()
    life.turn(load=50.0)
    memory = life.engine.remembered(CHAT)
    assert memory is not None
    match memory.rules["demand"]:
        case [_, Known() as known]:
            assert known.experience is not None
            assert known.experience.tally.ticks > 300
        case other:
            raise AssertionError(other)


def test_a_policy_that_only_advises_learns_as_well() -> None:
    advising = AHEAD.replace("  bounds:", "  mode: advise\n  bounds:")
    other = Life(lambda _: None, deployments=1, policy=advising)
    other.turn(load=60.0)
    (one,) = cold(other)
    assert ended(one.live_through({"load": an_hour_and_more(other)})) is not None
