"""What is asked for is read level by level, and no further than somebody comes."""

from __future__ import annotations

from random import Random

import pytest
from tests.worlds.short_fleets import NOW, a_short_fleet

from trimtab.core.allocation.levels import Level, Levels, in_order
from trimtab.core.allocation.precedence import Wish, first_step, wishes_of

PATIENCE_SECONDS = 900.0


def a_wish(step: int, name: str, since: float = 0.0) -> Wish:
    return step, since, name, 1, 1, 0


class Asked:
    """What each deployment asks for, and who was read."""

    def __init__(self, wishes: dict[str, list[Wish]]) -> None:
        self.wishes = wishes
        self.read: list[str] = []
        self.levels = Levels(self._read)

    def _read(self, name: str) -> list[Wish]:
        self.read.append(name)
        return self.wishes[name]


def test_every_wish_comes_in_order_although_claims_are_read_on_the_way() -> None:
    wishes = {
        "early": [a_wish(1, "early"), a_wish(9, "early")],
        "late": [a_wish(4, "late", since=2.0), a_wish(5, "late")],
        "later": [a_wish(4, "later", since=1.0)],
    }
    asked = Asked(wishes)
    asked.levels.wait("early", 1)
    asked.levels.wait("late", 2)
    asked.levels.wait("later", 4)
    expected = sorted(wish for ones in wishes.values() for wish in ones)
    assert list(in_order(asked.levels)) == expected
    assert list(in_order(asked.levels)) == expected
    assert asked.read == ["early", "late", "later"]


def test_nobody_is_read_on_whose_level_nobody_comes() -> None:
    asked = Asked({"first": [a_wish(1, "first")], "last": [a_wish(2, "last")]})
    asked.levels.wait("last", 2)
    asked.levels.wait("first", 1)
    assert next(iter(asked.levels)).wishes == [a_wish(1, "first")]
    assert asked.read == ["first"]
    asked.levels.leave("last", 2)
    assert [wish[2] for wish in in_order(asked.levels)] == ["first"]
    assert asked.read == ["first"]


def test_what_is_taken_off_a_level_is_gone_and_all_else_stays_in_order() -> None:
    random = Random(1)
    wishes = [
        a_wish(random.randint(0, 3), f"d{number:03}", random.random()) for number in range(200)
    ]
    asked = Asked({wish[2]: [wish] for wish in wishes})
    for wish in wishes:
        asked.levels.wait(wish[2], 0)
    assert list(in_order(asked.levels)) == sorted(wishes)
    for gone in (wishes[:1], wishes[1:150]):
        asked.levels.take(gone)
        wishes = [wish for wish in wishes if wish not in gone]
        assert list(in_order(asked.levels)) == sorted(wishes)
    asked.levels.take(wishes)
    assert list(asked.levels) == []


def test_a_level_knows_how_many_accelerators_are_asked_for_on_it() -> None:
    level = Level()
    level.wishes += [(0, 0.0, "a", 3, 4, 0), (0, 0.0, "b", 1, 8, 0)]
    assert level.accelerators == 20


@pytest.mark.parametrize("seed", range(300))
def test_no_wish_stands_before_the_level_on_which_its_claim_waits(seed: int) -> None:
    for claim in a_short_fleet(seed).claims:
        if claim.wanted <= claim.held:
            continue
        since = NOW if claim.short_since is None else claim.short_since
        is_below_bound = claim.floor > claim.held
        step = first_step(
            claim.priority, claim.team.weight, is_below_bound, since, PATIENCE_SECONDS
        )
        steps = [wish[0] for wish in wishes_of(claim, 0, since, PATIENCE_SECONDS, 100)]
        assert min(steps) >= step
        if claim.need.spread_replicas == 0.0 and claim.need.load_replicas > claim.held + 1:
            assert min(steps) == step
