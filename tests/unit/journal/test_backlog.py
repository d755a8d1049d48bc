"""What waits is bounded, and what is let go of leaves everything behind that stays true."""

from random import Random

import pytest
from tests.worlds.journal_world import Life, name_of

from trimtab.core.decision import WriteStatus
from trimtab.core.overrides import Override
from trimtab.journal.backlog import OVERRIDES_MAX, PRIMED_WEIGHT, Backlog
from trimtab.journal.entries import Ended, Entry, Evaluated, Intended, Lost, PoliciesInForce, Primed
from trimtab.journal.standing import Standing


def stands_after(entries: list[Entry]) -> Standing:
    standing = Standing()
    for entry in entries:
        standing.take_in(entry)
    return standing


@pytest.mark.parametrize("seed", range(20))
def test_how_things_stand_is_the_same_whatever_was_let_go_of(seed: int) -> None:
    """Seen to catch: a fold that forgets who was gone in between, the memory of ends, or the order."""
    entries: list[Entry] = []
    backlog = Backlog(weight_max=20, small_max=10)
    random = Random(seed)

    def note(entry: Entry) -> None:
        entries.append(entry)
        backlog.add(entry)
        if random.random() < 0.05:
            backlog.take()
            backlog.give_back()

    life = Life(note, deployments=4, random=random)
    for _ in range(150):
        life.happen()
    held = Standing()
    for item in backlog.take().items:
        held.take_in(item)
    told = stands_after(entries)
    assert held == told
    assert list(held.fleet) == list(told.fleet)
    assert held.as_memory() == life.engine.memory
    assert backlog.dropped > 0


def test_turns_weigh_what_they_hold_and_the_oldest_are_folded_into_one() -> None:
    backlog = Backlog(weight_max=90)
    life = Life(backlog.add, deployments=3)
    events = []
    for _ in range(100):
        events += life.turn(load=20.0).events
    items = backlog.take().items
    assert [type(one) for one in items[:2]] == [Lost, Evaluated]
    assert isinstance(items[0], Lost)
    assert items[0].turns == backlog.dropped == 100 - (len(items) - 1)
    assert 0.7 * 30 <= len(items) - 1 <= 30
    assert list(items[0].events) == events


def test_rules_that_were_primed_weigh_much_and_their_memory_stays() -> None:
    """Seen to catch: a fold that forgets what was remembered, and primed rules that weigh nothing."""
    backlog = Backlog(weight_max=10 * PRIMED_WEIGHT)
    life = Life(backlog.add, deployments=3)
    life.turn(load=20.0)
    for _ in range(50):
        life.now += 1.0
        life.prime(name_of(1))
    items = backlog.take().items
    assert sum(isinstance(one, Primed) for one in items) <= 10
    assert stands_after(list(items)).as_memory() == life.engine.memory


def test_an_intention_without_an_end_and_the_end_of_one_that_is_kept_stay() -> None:
    backlog = Backlog(weight_max=30, small_max=8)
    life = Life(backlog.add)
    life.until_ordered()
    first, second = life.open_orders[:2]
    life.intend(first)
    backlog.take()
    backlog.confirm()
    life.intend(second)
    life.end(first)
    for _ in range(60):
        life.turn()
        for order in [one for one in life.open_orders if one is not second]:
            life.end(order, WriteStatus.VOID)
    items = backlog.take().items
    assert [one.order for one in items if isinstance(one, Intended)] == [second]
    ends = [one for one in items if isinstance(one, Ended)]
    assert first in [one.outcome.order for one in ends]
    assert len(ends) < 10, "orders that were never sent leave nothing"


def test_the_policies_in_force_stay_and_those_before_them_go() -> None:
    backlog = Backlog(small_max=8)
    life = Life(backlog.add)
    for limit in range(2, 20):
        life.put_in_force(life.policy.replace("max: 20", f"max: {limit}"))
    kept = [one for one in backlog.take().items if isinstance(one, PoliciesInForce)]
    assert len(kept) <= 8
    assert "max: 19" in kept[-1].documents["chat.yaml"]


def test_of_what_people_ordered_the_newest_stays_and_all_of_it_is_in_force() -> None:
    backlog = Backlog(small_max=OVERRIDES_MAX)
    life = Life(backlog.add)
    given: list[Override] = []
    for _ in range(OVERRIDES_MAX + 40):
        life.now += 1.0
        given.append(life.pause(0))
    items = backlog.take().items
    standing = Standing()
    for item in items:
        standing.take_in(item)
    assert standing.overrides == life.engine.overrides == (given[-1],)


def test_what_was_taken_waits_until_it_is_confirmed() -> None:
    backlog = Backlog()
    life = Life(backlog.add)
    life.turn()
    assert (len(backlog.take().items), backlog.waiting) == (1, 1)
    life.turn()
    assert (len(backlog.take().items), backlog.waiting) == (1, 2)
    backlog.give_back()
    life.turn()
    batch = backlog.take()
    assert [one.at for one in batch.items if isinstance(one, Evaluated)] == sorted(
        one.at for one in batch.items if isinstance(one, Evaluated)
    )
    assert (len(batch.items), batch.last) == (3, 3)
    assert len(backlog.confirm()) == 3
    assert backlog.waiting == 0
