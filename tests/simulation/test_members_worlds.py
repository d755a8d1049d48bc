"""Whole daemons that share a fleet, on virtual time, and everything at fault: who writes, and who serves again.

``make simulate-members RUNS=N SEED=S`` runs many. A failure prints its seed, the promise that was broken, and
what led to it.
"""

from __future__ import annotations

import gc
import warnings
from dataclasses import replace

import pytest
from tests.simulation.members import audit
from tests.simulation.members.plan import TROUBLES, MembersPlan, draw_members_plan
from tests.simulation.members.world import run_members_plan, run_members_seed
from tests.simulation.trail import ViolationError

FIRST, LAST = 1, 6


def short(seed: int, **changes: object) -> MembersPlan:
    return replace(draw_members_plan(seed), chaos_seconds=40.0, **changes)  # type: ignore[arg-type]  # as the plan has them


@pytest.mark.parametrize("number", range(FIRST, LAST + 1))
def test_only_owners_write_and_all_is_served_again_whatever_goes_wrong(number: int) -> None:
    report = run_members_seed(number)
    if report.broken is not None:
        raise report.broken
    assert report.counts["writes"] > 0


def test_seeds_draw_every_trouble_and_both_services() -> None:
    plans = [draw_members_plan(seed) for seed in range(1, 100)]
    assert {kind for plan in plans for kind in plan.troubles} == set(TROUBLES)
    assert {plan.service for plan in plans} == {"postgresql", "kubernetes"}
    assert {len(plan.rates) for plan in plans} == {2, 3, 4, 5}


@pytest.mark.parametrize("service", ["postgresql", "kubernetes"])
def test_the_same_plan_is_the_same_run(service: str) -> None:
    first, second = (run_members_plan(short(3, service=service)).digest for _ in range(2))
    assert first == second


def test_nothing_of_a_killed_member_runs_or_is_left_to_be_collected() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = run_members_plan(
            short(4, troubles=("kill", "kill amid a write"), seconds_between_troubles=4.0)
        )
        gc.collect()
    assert report.broken is None
    assert report.faults["killed"] > 0


def test_a_broken_promise_names_the_seed_and_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit.MembersAudit, "released", lambda *_: None)
    monkeypatch.setattr(audit.MembersAudit, "claimed", lambda *_: None)
    broken = run_members_plan(short(1)).broken
    assert isinstance(broken, ViolationError)
    lines = str(broken).splitlines()
    assert lines[0].startswith("seed 1: only the owner writes: accounts/acme/deployments/")
    assert lines[-1] == "to repeat: python -m tests.simulation.runner --members --seeds 1 --verbose"
