"""Who gives way first: as if what everybody's last replica is worth had been worked out and sorted at once."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.worlds.short_fleets import TYPES, a_short_fleet

from trimtab.core.allocation.victims import Entry, Queue, Victims, entry_of

if TYPE_CHECKING:
    from trimtab.core.allocation.values import Claim


def claims_of(seed: int) -> dict[str, Claim]:
    """The claims of a few fleets together: several types, priorities and teams."""
    return {
        f"{number}-{one.deployment}": one._replace(deployment=f"{number}-{one.deployment}")
        for number in range(4)
        for one in a_short_fleet(10 * seed + number).claims
    }


def expected(claims: dict[str, Claim], kind: str | None) -> list[Entry]:
    entries = (
        entry_of(one, min(one.held, one.wanted))
        for one in claims.values()
        if kind in (None, one.accelerator_type)
    )
    return sorted(entry for entry in entries if entry is not None)


def emptied(queue: Queue) -> list[Entry]:
    found = []
    while queue:
        rank = queue.rank
        found.append(queue.pop())
        assert found[-1][:2] == rank
    return found


@pytest.mark.parametrize("seed", range(50))
def test_a_queue_kept_up_claim_by_claim_is_in_the_order_of_all_that_may_be_taken(seed: int) -> None:
    random, claims, victims = Random(seed), claims_of(seed), Victims()
    for name in claims:
        victims.touch(name)
    for _ in range(5):
        victims.bring(claims)
        for kind in random.sample([*TYPES, None], 2):
            assert emptied(victims.queue(kind)) == expected(claims, kind)
        victims.bring(claims)
        for name in random.sample(sorted(claims), min(5, len(claims))):
            victims.touch(name)
            one = claims.pop(name)
            if random.random() < 0.7:
                held = random.randint(0, 5)
                claims[name] = one._replace(held=held, least=random.randint(0, held))


@pytest.mark.parametrize("seed", range(50))
def test_what_is_pushed_takes_its_place_whether_its_rank_was_come_to_or_not(seed: int) -> None:
    random, claims, victims = Random(seed), claims_of(seed), Victims()
    for name in claims:
        victims.touch(name)
    victims.bring(claims)
    queue, left = victims.queue(None), expected(claims, None)
    while queue:
        assert left
        assert queue.rank == left[0][:2]
        assert queue.pop() == left.pop(0)
        if random.random() < 0.3:
            one = random.choice(list(claims.values()))
            entry = (random.random() < 0.5, one.priority, random.random(), one.deployment, 9)
            queue.push(entry)
            left = sorted([*left, entry])
            claims.pop(one.deployment)
        if not claims:
            break
    assert emptied(queue) == left
