"""That the simulation can catch: broken daemons that it must not let pass.

A few are hunted here; ``make simulate-faults-mutants`` hunts all of them.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.simulation.members.plan import draw_members_plan
from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS, OPEN, by_name, hunt_apart

QUICK = (
    "wall-clock",
    "release-without-stop",
    "term-not-journalled",
    "no-read-back",
    "no-intention",
    "rate-limit-with-the-wrong-sign",
)


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 15
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", [*MUTANTS, *OPEN], ids=lambda mutant: mutant.name)
def test_a_mutant_still_changes_the_code_it_is_about(mutant: Mutant) -> None:
    for change in mutant.changes:
        spec = find_spec(change.module)
        assert spec is not None
        assert spec.origin is not None
        assert Path(spec.origin).read_text(encoding="utf-8").count(change.old) == 1


@pytest.mark.parametrize(
    "mutant",
    [one for one in [*MUTANTS, *OPEN] if one.is_of_members],
    ids=lambda mutant: mutant.name,
)
def test_worlds_that_it_is_hunted_in_could_keep_every_promise(mutant: Mutant) -> None:
    """What a plan cannot be is refused: ten accelerators were shared by twelve that keep one each."""
    for seed in range(1, mutant.seeds + 1):
        replace(draw_members_plan(seed), **mutant.emphasis)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_broken_daemon_is_caught(name: str) -> None:
    code, text, _ = hunt_apart(by_name(name))
    assert code == 0, text
