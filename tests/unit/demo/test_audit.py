"""The audit judges writes as they arrive, without asking the engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli.demo.audit import (
    VIOLATIONS_KEPT_MAX,
    Promise,
    Watched,
    Write,
    WriteAudit,
    allowed_range,
)
from trimtab.core.policy import Actuation, Mode, Policy, Selector, WhileUpdating

NAME = "accounts/demo/deployments/chat-8b"


def policy(**changed: object) -> Policy:
    fields: dict[str, object] = {"name": "p", "selector": Selector(name=NAME), "rules": ()}
    return Policy(**{**fields, **changed})  # type: ignore[arg-type]  # the fields of a policy


def watched(chosen: Policy | None, *, low: int = 2, high: int = 16, each: int = 1) -> Watched:
    return Watched(owner_min=low, owner_max=high, accelerators_per_replica=each, policy=chosen)


def audit_of(chosen: Policy | None, **changed: int) -> WriteAudit:
    return WriteAudit({NAME: watched(chosen, **changed)})


def write(**changed: object) -> Write:
    fields: dict[str, object] = {
        "at": 100.0,
        "deployment": NAME,
        "state": "READY",
        "desired": 4,
        "min_replicas": 5,
        "max_replicas": 5,
    }
    return Write(**{**fields, **changed})  # type: ignore[arg-type]  # the fields of a write


def promises(audit: WriteAudit) -> list[Promise]:
    return [violation.promise for violation in audit.violations]


def test_a_pin_within_the_bounds_breaks_no_promise() -> None:
    audit = audit_of(policy(min_replicas=1, max_replicas=12))
    audit.arrive(write())
    audit.end(NAME, is_refused=False)
    assert (audit.arrived, audit.violation_count, audit.refused) == (1, 0, 0)


@pytest.mark.parametrize("count", [1, 13])
def test_a_count_outside_owner_and_policy_is_a_violation(count: int) -> None:
    audit = audit_of(policy(min_replicas=1, max_replicas=12))
    audit.arrive(write(min_replicas=count, max_replicas=count))
    assert promises(audit) == [Promise.WITHIN_BOUNDS]
    assert audit.violations[0].sentence == f"{count} replicas are outside 2-12"


def test_accelerators_bound_replicas_by_what_each_takes() -> None:
    allowed = allowed_range(watched(policy(accelerators_max=30), low=1, each=4))
    assert (allowed.lower, allowed.upper, allowed.upper_set_by) == (1, 7, "accelerators")


def test_the_strictest_end_gives_its_name() -> None:
    allowed = allowed_range(watched(policy(min_replicas=3, max_replicas=20)))
    assert (allowed.lower_set_by, allowed.upper_set_by) == ("policy", "owner")


def test_a_pin_that_leaves_room_is_a_violation() -> None:
    audit = audit_of(policy())
    audit.arrive(write(min_replicas=5, max_replicas=9))
    assert promises(audit) == [Promise.WITHIN_BOUNDS]


def test_a_floor_may_leave_room_above_it() -> None:
    audit = audit_of(policy(actuation=Actuation.FLOOR))
    audit.arrive(write(min_replicas=5, max_replicas=9))
    assert promises(audit) == []


def test_the_scale_verb_is_judged_by_its_count() -> None:
    audit = audit_of(policy(actuation=Actuation.SCALE))
    audit.arrive(write(min_replicas=None, max_replicas=None, replicas=17))
    assert promises(audit) == [Promise.WITHIN_BOUNDS]


@pytest.mark.parametrize("state", ["CREATING", "FAILED", "DELETING", "DELETED", "GONE", "UPDATING"])
def test_a_write_in_any_state_but_ready_is_a_violation(state: str) -> None:
    audit = audit_of(policy())
    audit.arrive(write(state=state))
    assert promises(audit) == [Promise.WRITABLE_STATE]


@pytest.mark.parametrize(("count", "broken"), [(5, []), (3, [Promise.WRITABLE_STATE])])
def test_while_updating_only_growth_and_only_by_order_of_the_policy(
    count: int, broken: list[Promise]
) -> None:
    audit = audit_of(policy(while_updating=WhileUpdating.UP))
    audit.arrive(write(state="UPDATING", min_replicas=count, max_replicas=count))
    assert promises(audit) == broken


def test_a_write_past_the_expiry_is_a_violation() -> None:
    audit = audit_of(policy())
    audit.arrive(write(is_expired=True))
    assert promises(audit) == [Promise.WRITABLE_STATE]


def test_a_write_before_the_one_before_it_was_answered_is_a_violation() -> None:
    audit = audit_of(policy())
    audit.arrive(write())
    audit.arrive(write())
    assert promises(audit) == [Promise.ONE_IN_FLIGHT]


def test_writes_one_after_the_other_are_fine_refused_or_not() -> None:
    audit = audit_of(policy())
    for is_refused in (True, False):
        audit.arrive(write())
        audit.end(NAME, is_refused=is_refused)
    assert (promises(audit), audit.arrived, audit.refused) == ([], 2, 1)


def test_a_write_for_a_policy_that_only_advises_is_a_violation() -> None:
    audit = audit_of(policy(mode=Mode.ADVISE))
    audit.arrive(write())
    assert promises(audit) == [Promise.ADVICE_ONLY]


def test_a_write_without_a_policy_is_a_violation() -> None:
    audit = audit_of(None)
    audit.arrive(write())
    audit.arrive(write(deployment="accounts/demo/deployments/stranger"))
    assert promises(audit) == [Promise.UNDER_A_POLICY] * 2


@pytest.mark.parametrize(
    ("stated", "expected"),
    [((3, 8), (3, 8)), ((None, 8), (2, 8)), ((5, None), (5, 16)), ((None, 1), (1, 1)),
     ((20, None), (20, 20))],
)  # fmt: skip
def test_what_somebody_else_sets_is_the_owners_range_from_then_on(
    stated: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    audit = audit_of(policy())
    audit.owner_set(NAME, *stated)
    allowed = audit.range_of(NAME)
    assert (allowed.lower, allowed.upper) == expected


def test_taking_an_own_write_for_somebody_elses_is_a_violation() -> None:
    audit = audit_of(policy())
    audit.take_bounds_changed(100.0, NAME, "somebody set the replica bounds to 5-5")
    assert promises(audit) == [Promise.OWN_WRITES_KNOWN]


def test_noticing_what_somebody_really_set_is_none() -> None:
    audit = audit_of(policy())
    audit.owner_set(NAME, 3, 8)
    audit.take_bounds_changed(100.0, NAME, "somebody set the replica bounds to 3-8")
    assert promises(audit) == []


def test_violations_are_all_counted_and_the_first_ones_kept() -> None:
    audit = audit_of(policy())
    for _ in range(VIOLATIONS_KEPT_MAX + 5):
        audit.arrive(write(min_replicas=99, max_replicas=99))
        audit.end(NAME, is_refused=False)
    assert audit.violation_count == VIOLATIONS_KEPT_MAX + 5
    assert len(audit.violations) == VIOLATIONS_KEPT_MAX


@given(count=st.integers(0, 40), low=st.integers(0, 10), room=st.integers(0, 20))
def test_a_pin_is_accepted_exactly_if_it_lies_in_the_range(count: int, low: int, room: int) -> None:
    audit = audit_of(policy(max_replicas=12), low=low, high=low + room)
    audit.arrive(write(min_replicas=count, max_replicas=count))
    assert (audit.violation_count == 0) == (low <= count <= min(low + room, 12))
