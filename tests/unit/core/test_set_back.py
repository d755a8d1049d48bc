"""A restart after the machine's clock was set back: what is remembered must not lie in the future."""

from __future__ import annotations

from tests.worlds.engine_world import world

from trimtab.core.decision import Hold, Reason, ScaleUp
from trimtab.core.policy import MoveRules

HOUR = 3600.0


def test_a_sample_of_the_future_is_not_taken_for_a_fresh_one() -> None:
    w = world(4)
    w.step(load=40.0)
    w.restart()
    assert w.step(after=-HOUR).verdict == Hold(Reason.MISSING_DATA)
    assert isinstance(w.step(after=15.0, load=80.0).verdict, ScaleUp)


def test_a_cooldown_lasts_as_long_as_it_was_meant_to() -> None:
    w = world(2, up=MoveRules(stabilization_seconds=0.0, cooldown_seconds=60.0))
    w.act(load=40.0)
    w.restart()
    assert w.step(after=-HOUR, load=90.0).verdict == Hold(Reason.COOLDOWN)
    assert isinstance(w.step(after=61.0, load=90.0).verdict, ScaleUp)


def test_what_was_wished_for_just_before_keeps_its_window() -> None:
    w = world(4)
    w.act(load=40.0)
    w.restart()
    assert w.step(after=-HOUR, load=10.0).verdict == Hold(Reason.STABILIZING)
    assert w.step(after=290.0, load=10.0).desired == 4
    assert w.step(after=15.0, load=10.0).desired < 4


def test_a_restart_without_a_step_of_the_clock_changes_nothing() -> None:
    w = world(4)
    w.act(load=40.0)
    before = w.engine.memory
    w.restart()
    w.engine.step(w.now, {}, absent=())
    assert w.engine.memory == before
