"""A limit of spending over weeks of virtual time: month ends where clocks change, restarts, kills, a real journal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_world import ScriptedSource, ScriptedTarget
from tests.simulation.disk import BusyWorker
from tests.simulation.virtual_time import VirtualLoop, WorldClock, end_all
from tests.simulation.world import quiet
from tests.worlds.engine_world import LOAD
from tests.worlds.shared_fleet import full, one_of, policy_of
from tests.worlds.spending_account import (
    FLOORS,
    HOUR,
    LOAD_A_REPLICA,
    USD,
    WISHES,
    SpendingAccount,
    fleet_of,
    moment,
)

from trimtab.core.fleet_policy import Period, SpendLimit
from trimtab.core.policy import MoveRules
from trimtab.core.signals import Sample
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.daemon import Daemon
from trimtab.service.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.core.signals import SignalSpec

DAY = 24 * HOUR
MONTH_USD = 60_000.0
"""All wishes cost $260 an hour: they would have used it up in ten days."""

RESTARTS = {"2026-02-18T05:00": "stop", "2026-03-04T13:00": "kill", "2026-03-08T01:00": "kill"}
RESTARTS |= {"2026-03-20T22:00": "stop", "2026-03-31T23:00": "kill"}
"""Two of them over the hour that is left out on 8 March, and over the midnight at which March ends."""


async def restart(account: SpendingAccount, how: str, hours: float) -> None:
    if how == "kill":
        account.kill()
    else:
        await account.stop()
    account.pass_by(hours * HOUR)
    await account.start()


async def test_a_months_limit_lasts_through_restarts_kills_and_two_month_ends(
    tmp_path: Path,
) -> None:
    """Seen to catch: sums that a restart forgets, months of UTC, a month that does not begin anew."""
    limit = SpendLimit(period=Period.MONTH, usd=MONTH_USD)
    account = SpendingAccount(tmp_path / "journal.db", fleet_of(limit), moment("2026-02-10T00:00"))
    await account.start()
    warned_at: dict[str, str] = {}
    trimmed_at: dict[str, str] = {}
    below_at: dict[str, str] = {}
    told: dict[str, dict[str, int]] = {}
    restarts = sorted(RESTARTS.items())
    while account.local < "2026-04-01T06:00":
        await account.live(2 * HOUR)
        month = account.local[:7]
        if Period.MONTH in account.warned:
            warned_at.setdefault(month, account.local)
        if account.counts != WISHES:
            trimmed_at.setdefault(month, account.local)
        for name, count in account.counts.items():
            assert count >= FLOORS[name]
            if month == "2026-03" and count < WISHES[name]:
                below_at.setdefault(name, account.local)
        told[account.local] = account.counts
        spent = account.shared.spending.month
        assert spent is not None
        assert spent.usd == pytest.approx(account.bills[month], abs=30 * USD)
        if restarts and account.local >= restarts[0][0]:
            await restart(account, restarts.pop(0)[1], 3.0)
    assert not restarts
    # A rate that had just risen may be lost with a process, and the time without one is charged at that before it.
    for month in ("2026-02", "2026-03"):
        assert 0.9 * MONTH_USD < account.bills[month] <= MONTH_USD * 1.005
    # Warned first, then trimmed: batch before search before what of chat is not protected.
    assert warned_at["2026-03"] < trimmed_at["2026-03"]
    assert below_at["batch"] < below_at["search"] < below_at["chat"]
    # Nothing grows before the midnight of the account, hours after that of UTC; then all do.
    for midnight in ("2026-03-01T00:00", "2026-04-01T00:00"):
        assert told[max(at for at in told if at < midnight)] != WISHES
        assert told[min(at for at in told if at > midnight)] == WISHES
    await account.stop()


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-07", 24), ("2026-03-08", 23), ("2026-11-01", 25)]
)
async def test_a_days_limit_lasts_through_a_kill_on_days_of_23_and_25_hours(
    tmp_path: Path, day: str, hours: int
) -> None:
    """Seen to catch: days of 24 hours always, and sums that a restart forgets."""
    limit_usd = 2_500.0
    account = SpendingAccount(
        tmp_path / "journal.db",
        fleet_of(SpendLimit(period=Period.DAY, usd=limit_usd)),
        moment(f"{day}T00:00"),
    )
    await account.start()
    begin, counts = account.clock.now(), []
    while account.local[:10] == day:
        await account.live(HOUR / 4)
        counts.append(account.counts)
        if len(counts) in {30, 50}:
            await restart(account, "kill", 1.0)
    assert round((account.clock.now() - begin) / HOUR) == hours
    # A rate that had just risen may be lost with a process, and the hour without one is charged at that before it.
    assert 0.9 * limit_usd < account.bills[day] <= limit_usd + 2 * USD
    assert counts[-2] != WISHES
    assert account.counts == WISHES  # the next day has begun
    await account.stop()


async def test_an_hours_limit_is_one_of_the_rate_and_no_restart_lifts_it(tmp_path: Path) -> None:
    limit = SpendLimit(period=Period.HOUR, usd=150.0)
    account = SpendingAccount(tmp_path / "journal.db", fleet_of(limit), moment("2026-02-28T22:00"))
    await account.start()
    for number in range(24):
        await account.live(HOUR / 4)
        assert sum(account.counts.values()) * USD <= 150.0
        if number % 5 == 4:
            await restart(account, "kill" if number % 2 else "stop", 0.5)
    assert sum(account.counts.values()) * USD == 150.0
    assert account.counts["chat"] == WISHES["chat"]
    await account.stop()


# -- the whole daemon -----------------------------------------------------------------------------


LAST_DAY_USD = 3_000.0
"""All wishes cost $260 an hour: half a day of them."""


SELDOM = replace(LOAD, max_age_seconds=700.0)


class EachItsOwn(ScriptedSource):
    """Tells each deployment's own load."""

    def __init__(self, clock: WorldClock) -> None:
        super().__init__(clock, interval_seconds=300.0)
        self.loads: dict[str, float] = {}

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        return [
            Sample(name, spec.name, self.clock.now(), self.loads[name])
            for name, specs in wanted.items()
            for spec in specs
        ]


class Lives:
    """Daemons one after the other over one journal, on a loop that jumps from one timer to the next."""

    def __init__(self, loop: VirtualLoop, path: Path) -> None:
        self.loop = loop
        self.path = path
        self.begin = moment("2026-03-31T00:00")
        self.clock = WorldClock(loop, self.begin)
        self.target = ScriptedTarget()
        self.source = EachItsOwn(self.clock)
        for name in WISHES:
            self.target.hold(one_of(name, WISHES[name], 1))
            self.source.loads[full(name)] = (WISHES[name] - 0.5) * LOAD_A_REPLICA
        self.number = 0
        self.bill = 0.0

    def start(self) -> None:
        self.number += 1
        fast = MoveRules(stabilization_seconds=0.0)
        self.journal = SqliteJournal(self.path, self.clock, worker=BusyWorker())
        self.target.is_closed = self.source.is_closed = False
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[policy_of(name, up=fast, down=fast, signals=(SELDOM,)) for name in WISHES],
            fleet_policy=fleet_of(SpendLimit(period=Period.DAY, usd=LAST_DAY_USD)),
            timing=Timing(tick_interval_seconds=300.0, fleet_refresh_interval_seconds=300.0),
            random=Random(self.number),
            journal=self.journal,
        )
        self.loop.start_process(self.number, self.daemon.run())

    def kill(self) -> None:
        self.loop.kill(self.number)
        self.journal.abandon()

    async def live(self, seconds: float) -> None:
        """Let time pass, in steps in which the account charges what serves."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            await asyncio.sleep(60.0)
            if self.clock.now() <= self.begin + DAY:
                self.bill += USD * sum(self.counts.values()) / 60.0

    @property
    def counts(self) -> dict[str, int]:
        return {
            name.rpartition("/")[2]: one.desired_replicas or 0
            for name, one in self.target.deployments.items()
        }


def test_the_daemon_keeps_a_days_limit_when_it_is_killed_and_begins_anew_with_the_next_month(
    tmp_path: Path,
) -> None:
    """Seen to catch: sums that a restart forgets."""

    async def world() -> None:
        lives = Lives(loop, tmp_path / "journal.db")
        try:
            await live_through_the_last_day(lives)
        finally:
            loop.bury()
            await end_all(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]  # None is never in a set of tasks

    async def live_through_the_last_day(lives: Lives) -> None:
        lives.start()
        await lives.live(8 * HOUR)
        before = lives.counts
        assert before != WISHES
        lives.kill()
        await lives.live(2 * HOUR)
        lives.start()
        await lives.live(6 * HOUR)
        assert sum(lives.counts.values()) <= sum(before.values()) + 2
        assert all(lives.counts[name] >= FLOORS[name] for name in WISHES)
        lives.kill()
        lives.start()
        await lives.live(8 * HOUR)
        assert lives.bill <= LAST_DAY_USD * 1.01
        await lives.live(HOUR)
        assert lives.counts == WISHES
        lives.daemon.stop()
        await asyncio.sleep(60.0)

    loop = VirtualLoop()
    try:
        with quiet():
            loop.run_until_complete(world())
    finally:
        loop.close()
