"""A bill added up from what was seen and decided: money, idle replicas, refusals, and what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.cost import Cost, Judged, Ledger, Refused, Running, judged
from trimtab.core.decision import Decision, Hold, Reason, ScaleUp, Step, Verdict
from trimtab.core.facts import Facts
from trimtab.core.policy import Mode
from trimtab.core.proposals import Proposal
from trimtab.core.roles import Role

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def serving(replicas: int, *, usd: float | None = 7.0, accelerators: int | None = 4) -> Running:
    return Running("NVIDIA_H100_80GB", accelerators, replicas, usd, "chat")


def costs(ledger: Ledger) -> Cost:
    total = Cost()
    for cost in ledger.costs.values():
        total.add(cost)
    return total


def refusals(ledger: Ledger) -> dict[Reason, Refused]:
    return {reason: refused for (_, reason), refused in ledger.refusals.items()}


def lived(ledger: Ledger, hours: float, *, step_seconds: float = 60.0) -> float:
    """Let somebody look every minute, and return the time."""
    at = ledger.until or NOON
    for _ in range(round(hours * HOUR / step_seconds)):
        at += step_seconds
        ledger.look(at)
    return at


def begun(*, begin: float = NOON, timezone: str = "UTC") -> Ledger:
    ledger = Ledger(begin, timezone)
    ledger.look(NOON)
    return ledger


def decided(
    verdict: Verdict,
    *,
    wanted: int | None = 6,
    desired: int = 4,
    facts: Facts | None = None,
    upper: Bound = Bound(10, "policy chat"),  # noqa: B008  a frozen value
    mode: Mode = Mode.ENFORCE,
    trail: tuple[Step, ...] = (),
) -> Decision:
    proposal = Proposal("demand", Role.DEMAND, wanted, "", facts=facts)
    return Decision(
        deployment="chat",
        policy="chat",
        mode=mode,
        at=NOON,
        verdict=verdict,
        current=4,
        desired=desired,
        wanted=wanted,
        bounds=Bounds(Bound(0, ""), upper),
        sentence="",
        trail=trail,
        proposals=(proposal,),
    )


# -- money ------------------------------------------------------------------------------------------


def test_what_serves_costs_its_accelerators_by_the_second() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(2))
    at = lived(ledger, 0.5)
    ledger.see("chat", at, serving(3))
    ledger.close(lived(ledger, 0.25))
    assert costs(ledger).usd == pytest.approx(2 * 28 * 0.5 + 3 * 28 * 0.25)
    assert costs(ledger).accelerator_hours == pytest.approx(8 * 0.5 + 12 * 0.25)
    assert costs(ledger).assumed_usd == 0.0


def test_what_has_no_price_is_counted_in_hours_and_not_as_nothing() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(2, usd=None))
    ledger.see("other", NOON, serving(1, accelerators=None))
    ledger.close(lived(ledger, 1.0))
    total = costs(ledger)
    assert total.usd == 0.0
    assert total.unpriced_accelerator_hours == pytest.approx(8.0)
    assert total.unknown_replica_hours == pytest.approx(1.0)


def test_time_in_which_nobody_looked_is_charged_at_the_last_rate_and_said_to_be_assumed() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(2))
    ledger.judge("chat", NOON, Judged(1.0, 2, 2))
    at = lived(ledger, 1.0)
    ledger.look(at + 2 * HOUR)
    ledger.see("chat", at + 2 * HOUR, serving(4))
    ledger.close(lived(ledger, 1.0))
    total = costs(ledger)
    assert total.usd == pytest.approx(56.0 * 3 + 112.0)
    assert total.assumed_usd == pytest.approx(112.0)
    assert total.unjudged_usd == pytest.approx(112.0 + 112.0)
    assert total.idle_usd == pytest.approx(28.0)


def test_what_was_before_the_begin_is_in_no_sum() -> None:
    ledger = Ledger(NOON + HOUR)
    ledger.look(NOON)
    ledger.see("chat", NOON, serving(1))
    ledger.close(lived(ledger, 3.0))
    assert costs(ledger).usd == pytest.approx(56.0)


def test_what_is_gone_costs_no_more() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(1))
    ledger.see("chat", lived(ledger, 1.0), None)
    ledger.close(lived(ledger, 1.0))
    assert costs(ledger).usd == pytest.approx(28.0)
    assert list(ledger.running) == []


def test_days_end_at_the_accounts_midnight() -> None:
    ledger = begun(timezone="Asia/Kolkata")  # 17:30 there
    ledger.see("chat", NOON, serving(1))
    ledger.close(lived(ledger, 8.0))
    assert [cost.usd for cost in ledger.costs.values()] == [
        pytest.approx(6.5 * 28),
        pytest.approx(1.5 * 28),
    ]


@given(
    steps=st.lists(
        st.tuples(st.floats(0.0, 90_000.0), st.integers(0, 5), st.sampled_from([None, 7.0, 9.5])),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=100)
def test_sums_do_not_depend_on_how_often_they_are_added_up_nor_on_days(
    steps: list[tuple[float, int, float | None]],
) -> None:
    """Seen to catch: a segment that begins anew at each look; a day whose end is charged twice."""
    ledger, at = begun(timezone="Europe/Zurich"), NOON
    usd = hours = 0.0
    for seconds, replicas, price in steps:
        ledger.see("chat", at, serving(replicas, usd=price))
        for part in (0.25, 0.5, 1.0):
            ledger.look(at + part * seconds)
        at += seconds
        usd += replicas * 4 * (price or 0.0) * seconds / HOUR
        hours += replicas * 4 * seconds / HOUR
    ledger.close(at)
    # Times are doubles of some 2e9 seconds: differences are exact to a microsecond.
    assert costs(ledger).usd == pytest.approx(usd, abs=1e-4)
    assert costs(ledger).accelerator_hours == pytest.approx(hours, abs=1e-4)
    assert costs(ledger).assumed_usd <= costs(ledger).usd * (1.0 + 1e-9)


# -- idle, refused, missed ------------------------------------------------------------------------------


def test_idle_is_what_serves_beyond_the_load() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(4))
    ledger.judge("chat", NOON, Judged(load=2.5, wanted=3, given=3))
    at = lived(ledger, 1.0)
    ledger.judge("chat", at, Judged(load=6.0, wanted=6, given=6))
    at = lived(ledger, 1.0)
    ledger.judge("chat", at, None)
    ledger.close(lived(ledger, 1.0))
    total = costs(ledger)
    assert total.idle_usd == pytest.approx(1.5 * 28)
    assert total.unjudged_usd == pytest.approx(4 * 28)
    assert not ledger.refusals


def test_a_refusal_costs_a_miss_as_far_as_there_was_load_for_it() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(4))
    ledger.judge("chat", NOON, Judged(5.5, 7, 4, Reason.QUOTA, requests_per_second=10.0))
    ledger.close(lived(ledger, 2.0))
    assert refusals(ledger) == {
        Reason.QUOTA: Refused(
            pytest.approx(6.0), pytest.approx(3.0), pytest.approx(3.0 * 36_000), 0.0
        )
    }


def test_misses_of_the_starting_time_are_not_the_refusals() -> None:
    # 7 are wanted and 6 granted, of which 2 serve so far: one of the five missing is refused.
    ledger = begun()
    ledger.see("chat", NOON, serving(2))
    ledger.judge("chat", NOON, Judged(7.0, 7, 6, Reason.SPEND_LIMIT))
    ledger.close(lived(ledger, 1.0))
    assert refusals(ledger) == {
        Reason.SPEND_LIMIT: Refused(pytest.approx(1.0), pytest.approx(1.0), 0.0, pytest.approx(1.0))
    }


def test_what_was_asked_for_and_does_not_come_is_refused() -> None:
    ledger = begun()
    ledger.see("chat", NOON, serving(2))
    ledger.judge("chat", NOON, Judged(5.0, 6, 6, Reason.CAPACITY_REFUSED))
    ledger.close(lived(ledger, 1.0))
    assert refusals(ledger)[Reason.CAPACITY_REFUSED].refused_replica_hours == pytest.approx(4.0)
    assert refusals(ledger)[Reason.CAPACITY_REFUSED].missed_replica_hours == pytest.approx(3.0)


# -- what a decision says --------------------------------------------------------------------------------


def test_a_rule_that_tells_its_load_says_what_is_busy() -> None:
    facts = Facts(load_replicas=3.2, capacity_requests_per_second=12.0)
    found = judged(decided(Hold(Reason.STEADY), facts=facts, desired=6))
    assert found == Judged(3.2, 6, 6, None, 12.0)


def test_without_one_what_the_rules_ask_for_is_taken_as_needed() -> None:
    assert judged(decided(ScaleUp(Reason.DEMAND), desired=6)) == Judged(6.0, 6, 6)


def test_rules_that_cannot_tell_say_nothing() -> None:
    assert judged(decided(Hold(Reason.MISSING_DATA), wanted=None)) is None


def test_a_refusal_is_found_in_the_verdict_and_in_the_trail() -> None:
    refused = judged(decided(Hold(Reason.QUOTA)))
    step = Step("allocate", 6, 5, Reason.SPEND_LIMIT, "")
    partly = judged(decided(ScaleUp(Reason.DEMAND), desired=5, trail=(step,)))
    assert refused is not None
    assert partly is not None
    assert (refused.refusal, partly.refusal) == (Reason.QUOTA, Reason.SPEND_LIMIT)


def test_a_ceiling_of_the_quota_is_a_refusal_and_one_of_the_policy_is_not() -> None:
    at_quota = judged(
        decided(Hold(Reason.AT_MAX), upper=Bound(4, "quota NVIDIA_H100_80GB 16, 4 a replica"))
    )
    at_policy = judged(decided(Hold(Reason.AT_MAX), upper=Bound(4, "policy chat")))
    assert at_quota == Judged(6.0, 6, 4, Reason.QUOTA)
    assert at_policy == Judged(6.0, 4, 4)


def test_a_policy_that_only_advises_is_refused_nothing() -> None:
    found = judged(decided(Hold(Reason.QUOTA), mode=Mode.ADVISE))
    assert found is not None
    assert found.refusal is None
