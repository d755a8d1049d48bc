"""A day of fifty deployments, so that the soak itself is known to work; and its judges, judged.

Seen to fail when the inbox drops an accepted sample, when the trigger forgets a wake, and when the daemon
keeps what it knew of deployments that are gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from tests.soak.ledger import GRACE_SECONDS, Ledger
from tests.soak.life import live
from tests.soak.looks import BOUNDS, Look, grown
from tests.soak.world import Plan

from trimtab.core.signals import Sample

NAME = "accounts/soak/deployments/d1"
HOURS = 3600.0
OF_THIS_PROCESS = {"resident bytes", "processor seconds"}
"""What other tests in the same process have a part in."""


@pytest.mark.slow
def test_a_day_of_fifty_deployments_with_faults_loses_nothing_and_grows_nothing() -> None:
    plan = Plan(
        days=1.0,
        deployments=50,
        look_seconds=2 * HOURS,
        storms_per_day=12.0,
        disk_faults_per_day=6.0,
        replaced_per_day=200.0,
    )
    day = live(plan, lambda _fleet, _look: None)

    assert day.failures() == []
    assert grown(day.looks, [one for one in BOUNDS if one.what not in OF_THIS_PROCESS]) == []

    # It was a day worth living.
    assert day.ledger.acknowledged > 50 * 90 * 1.5  # one signal of two is a rate: unknown at first
    assert day.evaluated > 50 * (15 + 45 + 45)  # pushes that may move something, polls, ticks
    assert day.writes > 100
    assert day.next_number > 50, "deployments are replaced"
    assert day.disk.counts, "the disk fails"
    events = [one.kind for one in day.emulation.events.since()]
    assert day.weather.counts or "fault" in events, "the control plane fails"


def looks(count: int, **changes: float) -> list[Look]:
    """Return looks of which each has ``changes`` more than the one before."""
    one = Look(
        at_days=0.0,
        resident_bytes=100_000_000,
        objects=500_000,
        own_objects=Counter({"trimtab.core.memory.DeploymentMemory": 50_000}),
        lag_p99_seconds=0.2,
        lag_worst_seconds=0.4,
        evaluated=0,
        acknowledged=0,
        told=0,
        writes=0,
        journal_bytes=50_000_000,
        processor_seconds=60.0,
    )
    return [
        replace(
            one,
            **{name: getattr(one, name) + type(more)(more * at) for name, more in changes.items()},
        )
        for at in range(count)
    ]


def test_what_stays_as_it_is_has_not_grown() -> None:
    assert grown(looks(30)) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"resident_bytes": 1_000_000}, "resident bytes"),
        ({"objects": 2_000}, "objects"),
        ({"journal_bytes": 1_000_000}, "journal bytes"),
        ({"lag_p99_seconds": 0.1}, "p99 seconds of lag"),
        ({"processor_seconds": 2.0}, "processor seconds"),
    ],
)
def test_what_grows_a_little_every_day_is_named(changes: dict[str, float], what: str) -> None:
    (sentence,) = grown(looks(30, **changes))
    assert sentence.startswith(f"{what} grew")


def test_a_leak_of_the_daemons_own_objects_is_named_with_their_class() -> None:
    leaking = [
        replace(one, own_objects=Counter({"trimtab.core.decision.Order": 1_000 * at}))
        for at, one in enumerate(looks(30))
    ]
    (sentence,) = grown(leaking)
    assert "trimtab.core.decision.Order (+28000)" in sentence


def test_too_few_looks_are_no_proof() -> None:
    assert grown(looks(3)) != []


def test_an_acknowledged_sample_that_the_engine_was_told_is_not_lost() -> None:
    ledger = Ledger()
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    ledger.tell([Sample(NAME, "load", 100.0, 1.0)])
    assert ledger.lost(101.0 + 2 * GRACE_SECONDS) == []


def test_a_newer_sample_of_the_signal_stands_for_the_older() -> None:
    ledger = Ledger()
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    ledger.tell([Sample(NAME, "load", 160.0, 1.0)])
    assert ledger.lost(101.0 + 2 * GRACE_SECONDS) == []


@pytest.mark.parametrize(
    "told", [[], [Sample(NAME, "load", 99.0, 1.0)], [Sample(NAME, "other", 100.0, 1.0)]]
)
def test_an_acknowledged_sample_that_the_engine_never_hears_of_is_named(told: list[Sample]) -> None:
    ledger = Ledger()
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    ledger.tell(told)
    (sentence,) = ledger.lost(102.0 + GRACE_SECONDS)
    assert NAME in sentence


def test_a_loss_is_named_however_many_samples_are_acknowledged_after_it() -> None:
    ledger = Ledger()
    for minute in range(60):
        ledger.acknowledge(NAME, "load", 60.0 * minute, 60.0 * minute)
    (sentence,) = ledger.lost(3600.0)
    assert "the sample of 0, acknowledged 3600 s ago" in sentence


def test_a_sample_between_two_acknowledged_ones_leaves_only_the_newer_open() -> None:
    ledger = Ledger()
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    ledger.acknowledge(NAME, "load", 2000.0, 2001.0)
    ledger.tell([Sample(NAME, "load", 100.0, 1.0)])
    assert ledger.lost(102.0 + GRACE_SECONDS) == []
    assert ledger.lost(2002.0 + GRACE_SECONDS) != []


def test_a_deployment_that_was_woken_and_never_decided_on_is_overdue() -> None:
    ledger = Ledger()
    ledger.wake([NAME], 101.0)
    assert ledger.overdue(102.0) == []
    assert ledger.overdue(102.0 + GRACE_SECONDS) == [NAME]


def test_a_sample_that_moves_nothing_may_wait_for_the_next_regular_look_but_no_longer() -> None:
    ledger = Ledger(look_seconds=600.0)
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    assert ledger.lost(101.0 + 600.0 + GRACE_SECONDS) == []
    assert ledger.lost(102.0 + 600.0 + GRACE_SECONDS) != []
    assert ledger.overdue(1e6) == [], "nobody was woken"


def test_what_is_gone_is_neither_lost_nor_overdue() -> None:
    ledger = Ledger()
    ledger.acknowledge(NAME, "load", 100.0, 101.0)
    ledger.wake([NAME], 101.0)
    ledger.forget(NAME)
    later = 102.0 + GRACE_SECONDS
    assert (ledger.lost(later), ledger.overdue(later)) == ([], [])
