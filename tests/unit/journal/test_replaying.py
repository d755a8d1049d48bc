"""What a replay must be told besides turns, so that it comes to the same: who was looked at, who was held."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from tests.unit.journal.checkpoints_replayed import it_is_replayed_from_every_checkpoint
from tests.worlds.journal_world import FLEET, POLICY, START, Life, name_of

from trimtab.clock import ManualClock
from trimtab.core.decision import EventKind
from trimtab.core.past import PastValue
from trimtab.journal import recorder
from trimtab.journal.backlog import Backlog
from trimtab.journal.history import History
from trimtab.journal.recorder import CHECKPOINT_SECONDS
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.standing import Standing
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import Replayed, replay


def replayed(path: Path) -> Replayed:
    with History(path) as history:
        found = replay(history.sequence())
    assert (found.difference, found.problems) == (None, [])
    return found


async def test_who_was_not_looked_at_is_not_looked_at_again(path: Path, clock: ManualClock) -> None:
    """Seen to catch: a turn that does not keep who was said to have changed."""
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    soon = replace(life.fleet[name_of(0)], expires_at=START + 4000.0)
    life.fleet = {**life.fleet, soon.name: soon}
    life.turn(load=20.0)
    life.now += 3900.0
    told = [life.step_of([name_of(1)]), life.step_of([name_of(0)])]
    kinds = [[event.kind for event in tick.events] for tick in told]
    assert EventKind.EXPIRY_NEAR not in kinds[0]
    assert EventKind.EXPIRY_NEAR in kinds[1], "as soon as it is looked at"
    await journal.close()
    assert replayed(path).turns == 3


async def test_a_replay_is_told_which_wishes_were_upheld(path: Path, clock: ManualClock) -> None:
    """Seen to catch: a turn that does not keep until when, which lets a window go too early."""
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    life.turn(load=60.0)
    life.act()
    sixes_at = life.now
    life.turn(load=20.0, after=200.0, upheld_until=sixes_at + 150.0)
    assert not life.turn(load=20.0, after=200.0).orders, "the window of 300 s begins at 150 s"
    assert life.turn(load=20.0, after=51.0).orders
    await journal.close()
    assert replayed(path).turns == 4


AHEAD = POLICY.replace(
    "{type: target, signal: load, target: 10}",
    "{type: capacity, requests: load, capacity: {requestsPerSecond: 10}}",
)


async def test_what_a_strategy_learned_and_knew_comes_back_bit_for_bit(
    path: Path, clock: ManualClock
) -> None:
    """Over a restart, with the numbers behind each proposal. Seen to catch: an experience whose arrays are
    rounded on their way to the file, and facts that do not get into the proposal.
    """
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    first = Life(journal.note, policy=AHEAD)
    first.put_in_force()
    for _ in range(30):
        first.turn()
        first.act()
    await journal.close()

    again = SqliteJournal(path, clock, worker=InlineWorker())
    memory = (await again.open()).memory
    assert memory == first.engine.memory
    second = Life(again.note, policy=AHEAD, memory=memory, now=first.now)
    second.fleet = first.fleet
    second.random.setstate(first.random.getstate())
    second.put_in_force()
    told = [second.turn() for _ in range(10)]
    await again.close()
    first.note = lambda _: None  # the same time once more, without the restart
    assert [tick.decisions for tick in told] == [first.turn().decisions for _ in range(10)]
    assert replayed(path).turns == 40
    with History(path) as history:
        kept = [run.first for run in history.decisions(name_of(1), since=START + 31 * 15.0)]
    for decision in kept:
        assert decision is not None
        assert decision in [tick.decisions[1] for tick in told]
        (proposal,) = decision.proposals
        assert proposal.facts is not None
        assert proposal.facts.capacity_requests_per_second == 10.0
        assert proposal.facts.missed_ratio_max == pytest.approx(0.01)
    assert kept


@pytest.mark.parametrize("is_resumed_before", [False, True])
async def test_an_order_in_flight_at_a_gap_ends_as_what_it_was(
    path: Path, clock: ManualClock, *, is_resumed_before: bool
) -> None:
    """Seen to catch: an order taken for one of an earlier run, which ends at no certain time."""
    worker = InlineWorker()
    journal = SqliteJournal(path, clock, worker=worker, backlog=Backlog(weight_max=12))
    await journal.open()
    life = Life(journal.note)
    life.put_in_force()
    if is_resumed_before:
        order = life.until_ordered()
        life.intend(order)
        await journal.settle()
        journal.abandon()
        journal = SqliteJournal(path, clock, worker=worker, backlog=Backlog(weight_max=12))
        recollection = await journal.open()
        life = Life(journal.note, memory=recollection.memory, now=life.now)
        life.engine.resume(order)
        life.open_orders = [order]
        life.put_in_force()
        life.turn(load=60.0)
        life.end(order)
        life.turn(load=200.0, after=400.0)
    order = life.until_ordered()
    journal._is_scheduled.set()  # the thread hangs
    for _ in range(8):
        life.turn(load=90.0)
    assert journal.status.dropped > 0
    journal._is_scheduled.clear()
    life.turn(load=90.0)
    life.end(order)
    life.turn(load=90.0, after=CHECKPOINT_SECONDS)
    life.turn(load=90.0)
    await journal.close()
    assert replayed(path).checkpoints >= 1, "whose memory is compared"


def test_a_deployment_is_held_by_an_earlier_run_until_that_order_ends() -> None:
    """Seen to catch: an end after which the next order is still taken for one of an earlier run."""
    backlog = Backlog()
    life = Life(backlog.add)
    order = life.until_ordered()
    standing = Standing.of(life.engine.memory, [order])
    assert (standing.in_flight, standing.resumed) == ({order.deployment: order}, {order.deployment})
    backlog.take()
    backlog.confirm()
    life.end(order)
    (ended,) = backlog.take().items
    standing.take_in(ended)
    assert (standing.in_flight, standing.resumed) == ({}, set())


@pytest.mark.parametrize("seed", range(4))
async def test_a_fleet_that_shares_is_replayed_exactly_from_each_checkpoint(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Claims, grants, money, quotas that were read or taught. Seen to catch: a checkpoint without what is known
    of the fleet, one whose fleet is not seen before the next outcome, and quotas read that are not noted.
    """
    monkeypatch.setattr(recorder, "CHECKPOINT_TURNS", 7)
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note, policy=POLICY + FLEET, deployments=4, random=Random(seed))
    life.put_in_force()
    life.turn()
    life.read_quota(40, used=44)
    for _ in range(60):
        life.happen()
    await journal.close()
    await it_is_replayed_from_every_checkpoint(path, clock, life)
    assert life.engine.shared.spending.day is not None
    assert life.engine.shared.quotas.account


async def test_quotas_that_are_read_while_there_are_no_deployments_are_replayed_exactly(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to catch: what is in use counted as in use elsewhere by who saw the last one go, and not by who
    begins at a checkpoint of a fleet without deployments.
    """
    monkeypatch.setattr(recorder, "CHECKPOINT_TURNS", 2)
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note, policy=POLICY + FLEET)
    life.put_in_force()
    life.read_quota(40, used=30)
    for fleet in (life.fleet, {}, life.fleet):
        life.fleet = fleet
        for used in (30, 40, 36, 20, 38):
            life.turn()
            life.read_quota(40, used)
    life.turn()
    await journal.close()
    await it_is_replayed_from_every_checkpoint(path, clock, life)


async def test_what_a_rule_learned_from_its_past_is_told_again(
    path: Path, clock: ManualClock
) -> None:
    """Begun in the middle of a run and at its start. Seen to catch: an entry that a replay passes over, one
    whose memory is not kept for the next start, and a replay that needs to have looked at the deployment."""
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note, deployments=1, policy=AHEAD)
    life.put_in_force()
    life.turn(load=60.0)
    (priming,) = life.engine.cold_rules(name_of(0), life.now) or ()
    past = [
        PastValue(life.now - 60.0 * number, 60.0 + number % 7, 60.0)
        for number in range(300, -1, -1)
    ]
    pieces = priming.live_through({"load": past})
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            primed = end.value
            break
    assert life.journalled.prime(name_of(0), "demand", primed)
    assert not life.journalled.prime(name_of(0), "demand", primed), "it knows enough by now"
    for number in range(20):
        life.turn(load=60.0 + number)
        life.act()
    life.now += CHECKPOINT_SECONDS
    life.turn(load=60.0)
    life.turn(load=60.0)
    await journal.close()
    found = replayed(path)
    assert found.turns == 23
    assert found.checkpoints >= 1
    again = SqliteJournal(path, clock, worker=InlineWorker())
    assert (await again.open()).memory == life.engine.memory
    await again.close()


async def test_what_a_rule_learned_is_there_after_a_restart_that_nothing_came_before(
    path: Path, clock: ManualClock
) -> None:
    """Seen to catch: an entry whose memory is not written, which the next decision would hide."""
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note, deployments=1)
    life.put_in_force()
    life.turn(load=60.0)
    await journal.settle()
    life.prime(name_of(0))
    await journal.close()
    again = SqliteJournal(path, clock, worker=InlineWorker())
    assert (await again.open()).memory == life.engine.memory
    await again.close()
