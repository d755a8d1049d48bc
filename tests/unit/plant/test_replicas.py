"""Replicas from being asked for until they are gone, and what they cost."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import ReplicaSet, ReplicaState, StartTimes, start_times_for

EXACT = StartTimes(
    pending_seconds=10.0,
    downloading_seconds=60.0,
    initializing_seconds=30.0,
    cv=0.0,
    failure_probability=0.0,
)


def replica_set(times: StartTimes = EXACT, seed: int = 1) -> ReplicaSet:
    return ReplicaSet(times, random.Random(seed))


def counts(replicas: ReplicaSet) -> tuple[int, int, int, int, int]:
    return (
        replicas.pending,
        replicas.downloading,
        replicas.initializing,
        replicas.ready,
        replicas.draining,
    )


def test_a_replica_is_pending_then_downloads_then_initializes_then_is_ready() -> None:
    replicas = replica_set()
    replicas.ask(2, now=0.0)

    seen = {}
    for now in (0.0, 9.9, 10.0, 69.9, 70.0, 99.9, 100.0):
        replicas.advance(now)
        seen[now] = counts(replicas)

    assert seen == {
        0.0: (2, 0, 0, 0, 0),
        9.9: (2, 0, 0, 0, 0),
        10.0: (0, 2, 0, 0, 0),
        69.9: (0, 2, 0, 0, 0),
        70.0: (0, 0, 2, 0, 0),
        99.9: (0, 0, 2, 0, 0),
        100.0: (0, 0, 0, 2, 0),
    }


def test_a_jump_over_the_whole_start_ends_where_small_steps_end() -> None:
    jumped, stepped = replica_set(start_times_for(8)), replica_set(start_times_for(8))
    for replicas in (jumped, stepped):
        replicas.ask(5, now=0.0)

    jumped.advance(5000.0)
    for now in range(5001):
        stepped.advance(float(now))

    assert jumped.members == stepped.members
    assert jumped.billed_replica_seconds == pytest.approx(stepped.billed_replica_seconds)


def test_billing_runs_from_allocation_not_from_asking_and_not_from_ready() -> None:
    replicas = replica_set()
    replicas.ask(3, now=0.0)

    replicas.advance(10.0)
    assert replicas.billed_replica_seconds == 0.0
    replicas.advance(100.0)
    assert replicas.billed_replica_seconds == pytest.approx(3 * 90.0)


def test_draining_replicas_are_billed_until_they_are_gone() -> None:
    replicas = replica_set()
    replicas.place_ready(2, now=0.0)
    replicas.drain_seconds = 40.0
    replicas.ask(1, now=100.0)

    replicas.advance(120.0)
    assert counts(replicas) == (0, 0, 0, 1, 1)
    replicas.advance(200.0)
    assert counts(replicas) == (0, 0, 0, 1, 0)
    assert replicas.billed_replica_seconds == pytest.approx(200.0 + 140.0)


def test_asking_down_takes_the_youngest_that_are_not_ready_before_any_that_is() -> None:
    replicas = replica_set()
    replicas.place_ready(2, now=0.0)
    replicas.ask(3, now=0.0)
    replicas.ask(5, now=50.0)

    replicas.ask(3, now=51.0)
    assert [replica.number for replica in replicas.members] == [1, 2, 3]
    replicas.ask(1, now=52.0)
    assert [(r.number, r.state) for r in replicas.members] == [
        (1, ReplicaState.READY),
        (2, ReplicaState.DRAINING),
    ]


def test_a_draining_replica_is_not_called_back_when_more_are_asked_for() -> None:
    replicas = replica_set()
    replicas.place_ready(2, now=0.0)

    replicas.ask(1, now=10.0)
    replicas.ask(2, now=11.0)

    assert counts(replicas) == (1, 0, 0, 1, 1)


def test_asking_again_for_the_same_count_changes_nothing() -> None:
    replicas = replica_set()
    replicas.ask(4, now=0.0)
    before = replicas.members

    replicas.ask(4, now=5.0)

    assert replicas.members == before
    assert replicas.asked == 4


def test_ready_is_not_yet_serving_while_the_lag_lasts() -> None:
    replicas = replica_set(StartTimes(10.0, 60.0, 30.0, ready_lag_seconds=45.0, cv=0.0,
                                      failure_probability=0.0))  # fmt: skip
    replicas.ask(1, now=0.0)

    replicas.advance(144.0)
    assert (replicas.ready, replicas.serving) == (1, 0)
    replicas.advance(145.0)
    assert (replicas.ready, replicas.serving) == (1, 1)


def test_a_ready_replica_that_does_not_serve_yet_needs_no_drain() -> None:
    replicas = replica_set(StartTimes(0.0, 0.0, 0.0, ready_lag_seconds=60.0, cv=0.0,
                                      failure_probability=0.0))  # fmt: skip
    replicas.ask(1, now=0.0)
    replicas.advance(1.0)

    replicas.ask(0, now=2.0)

    assert replicas.members == ()
    assert replicas.left_by_drain == 0


def test_a_failed_start_goes_back_to_pending_and_has_cost_its_time() -> None:
    times = StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.999_999)
    replicas = replica_set(times)
    replicas.ask(1, now=0.0)

    replicas.advance(100.0)

    assert counts(replicas) == (1, 0, 0, 0, 0)
    assert replicas.start_failures == 1
    assert replicas.billed_replica_seconds == pytest.approx(90.0)


def test_starts_fail_as_often_as_stated() -> None:
    times = StartTimes(1.0, 1.0, 1.0, failure_probability=0.25)
    replicas = replica_set(times)
    replicas.ask(3000, now=0.0)
    replicas.advance(1000.0)

    assert replicas.ready == 3000
    attempts = replicas.start_failures + 3000
    assert replicas.start_failures / attempts == pytest.approx(0.25, abs=0.03)


def test_blocked_scheduling_keeps_pending_replicas_pending_and_bills_nothing() -> None:
    replicas = replica_set()
    replicas.ask(1, now=0.0)
    replicas.scheduling_blocked = True

    replicas.advance(1000.0)
    assert counts(replicas) == (1, 0, 0, 0, 0)
    assert replicas.billed_replica_seconds == 0.0

    replicas.scheduling_blocked = False
    replicas.advance(1001.0)
    assert counts(replicas) == (0, 1, 0, 0, 0)
    replicas.advance(1090.0)
    assert replicas.ready == 1  # the download began when it could, at 1000 s


def test_blocked_scheduling_leaves_replicas_that_have_their_accelerator_alone() -> None:
    replicas = replica_set()
    replicas.ask(1, now=0.0)
    replicas.advance(20.0)
    replicas.scheduling_blocked = True

    replicas.advance(100.0)

    assert replicas.ready == 1


def test_a_crashed_replica_starts_anew_and_the_count_asked_for_stands() -> None:
    replicas = replica_set()
    replicas.place_ready(2, now=0.0)

    crashed = replicas.crash_one(now=50.0)

    assert crashed is not None
    assert counts(replicas) == (1, 0, 0, 1, 0)
    assert (replicas.serving, replicas.left_by_loss, replicas.asked) == (1, 1, 2)
    replicas.advance(150.0)
    assert replicas.serving == 2


def test_a_starting_replica_crashes_only_where_none_serves_and_none_at_all_where_none_is() -> None:
    replicas = replica_set()
    assert replicas.crash_one(now=0.0) is None

    replicas.ask(1, now=0.0)
    replicas.advance(80.0)
    assert replicas.crash_one(now=80.0) is not None
    assert counts(replicas) == (1, 0, 0, 0, 0)
    assert replicas.left_by_loss == 0


def test_revocable_replicas_come_on_top_and_vanish_at_once() -> None:
    replicas = replica_set()
    replicas.place_ready(2, now=0.0)
    replicas.add_revocable(2, now=0.0)
    replicas.advance(100.0)
    assert (replicas.ready, replicas.revocable, replicas.asked) == (4, 2, 2)

    replicas.ask(1, now=101.0)
    assert replicas.revocable == 2  # asking down does not touch them

    assert replicas.revoke(5, now=102.0) == 2
    assert (replicas.ready, replicas.revocable, replicas.left_by_loss) == (1, 0, 2)


def test_a_revocable_replica_that_crashes_does_not_come_back() -> None:
    replicas = replica_set()
    replicas.add_revocable(1, now=0.0)
    replicas.advance(100.0)

    replicas.crash_one(now=100.0)

    assert replicas.members == ()


def test_fewer_than_no_replicas_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="asked for -1 replicas"):
        replica_set().ask(-1, now=0.0)


def test_time_that_steps_back_changes_nothing() -> None:
    replicas = replica_set()
    replicas.ask(1, now=100.0)
    replicas.advance(120.0)

    replicas.advance(50.0)

    assert counts(replicas) == (0, 1, 0, 0, 0)
    assert replicas.billed_replica_seconds == pytest.approx(10.0)


def test_starts_scatter_around_their_medians() -> None:
    times = StartTimes(10.0, 60.0, 30.0, cv=0.3, failure_probability=0.0)
    replicas = replica_set(times)
    replicas.ask(2000, now=0.0)
    replicas.advance(2000.0)

    leads = [replica.ready_at for replica in replicas.members if replica.ready_at is not None]

    assert statistics.median(leads) == pytest.approx(times.lead_time_seconds, rel=0.05)
    assert 0.1 < statistics.pstdev(leads) / statistics.fmean(leads) < 0.3


@pytest.mark.parametrize(("billions", "seconds"), [(8.0, 120.0), (70.0, 420.0)])
def test_larger_models_start_slower_as_operators_report(billions: float, seconds: float) -> None:
    assert start_times_for(billions).lead_time_seconds == pytest.approx(seconds, rel=0.05)


def test_start_times_can_be_stretched_to_a_lead_time() -> None:
    stretched = start_times_for(8).with_lead_time(600.0)

    assert stretched.lead_time_seconds == pytest.approx(600.0)
    assert stretched.pending_seconds / stretched.downloading_seconds == pytest.approx(
        start_times_for(8).pending_seconds / start_times_for(8).downloading_seconds
    )
    assert StartTimes(0.0, 0.0, 0.0).with_lead_time(60.0).lead_time_seconds == 60.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pending_seconds", -1.0),
        ("cv", float("inf")),
        ("failure_probability", 1.0),
        ("ready_lag_seconds", float("nan")),
    ],
)
def test_start_times_that_cannot_be_are_refused(field: str, value: float) -> None:
    numbers = {"pending_seconds": 1.0, "downloading_seconds": 1.0, "initializing_seconds": 1.0}

    with pytest.raises(ValueError, match="start"):
        StartTimes(**(numbers | {field: value}))
    with pytest.raises(ValueError, match="parameter count"):
        start_times_for(0.0)


actions = st.lists(
    st.tuples(
        st.sampled_from(["ask", "crash", "revocable", "revoke", "block", "unblock"]),
        st.integers(0, 8),
        st.floats(0.0, 200.0),
    ),
    max_size=25,
)


@given(actions=actions, seed=st.integers(0, 1000))
def test_whatever_happens_the_counts_agree_with_the_replicas_that_are_there(
    actions: list[tuple[str, int, float]], seed: int
) -> None:
    replicas = replica_set(start_times_for(8, ready_lag_seconds=20.0), seed)
    now = paid = 0.0
    for action, number, pause in actions:
        match action:
            case "ask":
                replicas.ask(number, now)
            case "crash":
                replicas.crash_one(now)
            case "revocable":
                replicas.add_revocable(number, now)
            case "revoke":
                replicas.revoke(number, now)
            case _:
                replicas.scheduling_blocked = action == "block"
        now += pause
        most = len(replicas.members)
        replicas.advance(now)

        members = replicas.members
        states = [member.state for member in members]
        assert counts(replicas) == tuple(states.count(state) for state in ReplicaState)
        assert replicas.serving == sum(member.is_serving for member in members)
        assert replicas.serving <= replicas.ready
        wanted = [m for m in members if not m.is_revocable and m.state is not ReplicaState.DRAINING]
        assert len(wanted) == replicas.asked
        assert paid <= replicas.billed_replica_seconds <= paid + most * pause + 1e-6
        paid = replicas.billed_replica_seconds
