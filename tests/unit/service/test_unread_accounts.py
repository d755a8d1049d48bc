"""Money while an account cannot be read after a start: what it ran when it was read last counts until it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from scripted_world import (
    CHAT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    pass_time,
)
from tests.simulation.disk import BusyWorker
from tests.worlds.journal_world import FLEET, POLICY, Life
from tests.worlds.journal_world import START as EARLY

from trimtab.clock import ManualClock
from trimtab.core.decision import Reason
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Pool,
    Price,
    Quota,
    QuotaSource,
    SpendLimit,
)
from trimtab.journal.history import History
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.daemon import Daemon
from trimtab.service.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

H100 = "NVIDIA_H100_80GB"
CODE = "accounts/other/deployments/code"
SHAPE = Shape(accelerator_type=H100, accelerators_per_replica=4)
USD = 10.0
LIMIT_USD = 200.0
LIMITED = FleetPolicy(
    prices={H100: Price(USD, "tests")},
    spend_limits=(SpendLimit(period=Period.HOUR, usd=LIMIT_USD),),
)
TWENTY = Quota(Pool(H100), 20, QuotaSource.FILE)


class Lives:
    """Daemons one after the other over one journal. Chat has two replicas of $40 an hour and wants four.

    Another account runs two that no policy is about: together with three of chat that is what an hour may cost.
    """

    def __init__(self, path: Path, fleet: FleetPolicy = LIMITED) -> None:
        self.path = path
        self.fleet = fleet
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment(shape=SHAPE))
        self.other = ScriptedTarget("accounts/other").hold(self.code(2))
        self.targets = [self.target, self.other]
        self.daemon = self.begun()

    def code(self, replicas: int) -> Deployment:
        return a_deployment(CODE, replicas, shape=SHAPE, max_replicas=replicas)

    def begun(self) -> Daemon:
        """Return the next daemon."""
        for one in self.targets:
            one.is_closed = False
        self.daemon = Daemon(
            clock=self.clock,
            targets=self.targets,
            sources=[ScriptedSource(self.clock, load=40.0)],
            policies=[a_policy()],
            fleet_policy=self.fleet,
            journal=SqliteJournal(self.path, self.clock, worker=BusyWorker()),
            random=Random(1),
        )
        return self.daemon

    async def live(self, seconds: float) -> None:
        await pass_time(self.clock, seconds, step=5.0)

    @property
    def chat(self) -> int:
        return self.target.deployments[CHAT].desired_replicas


async def test_what_an_unread_account_ran_is_spent_until_it_is_read(tmp_path: Path) -> None:
    """Seen to catch: five minutes after the start chat had its fourth replica, and the hour cost $240."""
    lives = Lives(tmp_path / "journal.db")
    async with lives.daemon:
        await lives.live(120.0)
        assert lives.chat == 3
    lives.other.list_failure = a_failure()
    async with lives.begun():
        await lives.live(1200.0)
        assert lives.chat == 3
        (status,) = lives.daemon.status().deployments
        assert status.decision.verdict.reason is Reason.SPEND_LIMIT
        assert (
            "the limit of $200 an hour, less $80.00 an hour of other as known last "
            "(not read since the start), allows no more replicas of $40.00 an hour: 3 of 4"
        ) in status.decision.sentence
        hour = lives.daemon.engine.shared.spending.hour
        assert hour is not None
        assert 0.0 < hour.assumed_usd < hour.usd
        lives.other.list_failure = None
        lives.other.hold(lives.code(1))
        await lives.live(600.0)
        assert lives.chat == 4


async def test_what_an_unread_account_held_of_a_files_quota_is_nobody_elses(
    tmp_path: Path,
) -> None:
    """Seen to catch: five minutes after the start chat had its fourth replica, and 24 of 20 were asked for."""
    lives = Lives(tmp_path / "journal.db", FleetPolicy(quotas=(TWENTY,)))
    async with lives.begun():
        await lives.live(120.0)
        assert lives.chat == 3
    lives.other.list_failure = a_failure()
    async with lives.begun():
        await lives.live(1200.0)
        assert lives.chat == 3
        (status,) = lives.daemon.status().deployments
        assert (
            "at most 5, 8 accelerators of accounts that were not read since the start: 3 of 4"
        ) in status.decision.sentence
        lives.other.list_failure = None
        lives.other.hold(lives.code(1))
        await lives.live(600.0)
        assert lives.chat == 4


async def test_an_account_that_left_the_settings_counts_no_more(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "journal.db")
    async with lives.daemon:
        await lives.live(120.0)
    lives.targets = [lives.target]
    async with lives.begun():
        await lives.live(600.0)
        assert lives.chat == 4


async def test_what_is_not_read_in_one_life_is_still_known_in_the_next(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "journal.db")
    async with lives.daemon:
        await lives.live(120.0)
    lives.other.list_failure = a_failure()
    for _ in range(2):
        async with lives.begun():
            await lives.live(600.0)
            assert lives.chat == 3


def two_lives(path: Path) -> list[float]:
    """Let an hour pass while all is read, and one after a start while the other account is not.

    Returns what all that serves cost an hour at the end of each and after the account was read again.
    """

    async def live() -> list[float]:
        clock, rates = ManualClock(EARLY), []
        memory, now = None, EARLY
        for unread in ((), ("accounts/other",)):
            journal = SqliteJournal(path, clock, worker=InlineWorker())
            await journal.open()
            life = Life(journal.note, deployments=1, policy=POLICY + FLEET, memory=memory, now=now)
            life.put_in_force()
            life.unread = unread
            chat = next(iter(life.fleet.values()))
            code = replace(chat, name=CODE, display_name="code", pipeline=Pipeline(ready=2))
            life.fleet = dict(life.fleet) if unread else {**life.fleet, CODE: code}
            for _ in range(240):
                life.turn(load=10.0)
            rates.append(life.engine.shared.spending.usd_an_hour)
            if unread:
                fewer = replace(code, pipeline=Pipeline(ready=1))
                life.fleet, life.unread = {**life.fleet, CODE: fewer}, ()
                life.turn(load=10.0)
                rates.append(life.engine.shared.spending.usd_an_hour)
            memory, now = life.engine.memory, life.now
            clock.advance(now - clock.now())
            await journal.close()
        return rates

    return asyncio.run(live())


def test_a_replay_counts_what_was_not_read_as_the_run_did(tmp_path: Path) -> None:
    before, unread, after = two_lives(tmp_path / "journal.db")
    assert before == unread > after
    with History(tmp_path / "journal.db") as history:
        replayed = replay(history.sequence())
    assert replayed.is_exact, replayed.difference
    assert (replayed.starts, replayed.turns) == (2, 481)
