"""A month in virtual time: a fleet whose load comes and goes, that is pushed and asked, with faults now and then.

The daemon is whole, but for HTTP: pushes are handed to its desks as bodies, the control plane is the
emulator without sockets, the journal is a file. What a person does to a fleet happens too: deployments are
deleted and created, so that whatever is remembered of those that are gone shows.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from time import process_time

from tests.bench.processes.load import labels_of, remote_write
from tests.bench.processes.summary import percentile
from tests.simulation.control_plane import GaugesOnly
from tests.simulation.disk import FAULTS, Disk
from tests.simulation.network import KEY, Network, SimulatedConnection
from tests.simulation.virtual_time import Machine, VirtualLoop, WorldClock
from tests.simulation.weather import Weather
from tests.soak.ledger import AuditedJournal, Ledger
from tests.soak.load import DAY_SECONDS, Gauges, requests, served
from tests.soak.looks import Look, count_objects, resident_bytes

from trimtab.clock import SystemClock
from trimtab.core.decision import EventKind, Tick
from trimtab.emulator.in_process import ask
from trimtab.journal.retention import Retention
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.policy import read_policy_texts
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.timing import Timing
from trimtab.service.trigger import URGENT, Trigger
from trimtab.settings_push import RemoteWriteSettings
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ACCOUNT = "soak"
SHAPE = "llama-8b-minimal"
PLENTY = 100_000_000
BATCH = 500
EVENTS_KEPT = 500
"""Of the emulator's log, which would grow for days before it is full."""

STORMS = ("refused", "answer_lost", "slow", "error_503", "requests_429", "aborted_409", "reset")
LOADS = {"requests": requests, "served_total": served}
PUSH = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}

PUSHED = "gateway"
"""The source that is pushed, and so the lane of the trigger in which its samples wake."""

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: soak, owner: tests}
spec:
  deployments: {match: {displayName: "soak-*"}}
  bounds: {min: 1, max: 20}
  whileUpdating: up
  signals:
    requests: {source: gateway, query: requests, maxAge: 1h}
    served: {source: gateway, query: rate(served_total), maxAge: 1h}
    in_flight: {source: gauges, query: in_flight, maxAge: 1h}
  rules:
    - {name: requests, role: demand, strategy: {type: target, signal: requests, target: 8}}
    - {name: served, role: demand, strategy: {type: target, signal: served, target: 30}}
    - {name: busy, role: demand, strategy: {type: target, signal: in_flight, target: 40}}
  behavior:
    scaleUp: {stabilization: 0s}
    scaleDown: {stabilization: 1h}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, how large, and how often things happen. Intervals in seconds of virtual time.

    Each deployment is decided on some 190 times a day: a month of a thousand is six million decisions, which
    one core makes within the hour. Pushes come twice as often as ticks, as they are what wakes it in life.
    """

    days: float = 30.0
    deployments: int = 1_000
    tick_seconds: float = 1800.0
    push_seconds: float = 900.0
    poll_seconds: float = 1800.0
    listing_seconds: float = 900.0
    look_seconds: float = DAY_SECONDS
    storms_per_day: float = 3.0
    disk_faults_per_day: float = 1.0
    replaced_per_day: float = 20.0
    """Deployments that are deleted, and as many created."""

    retention_seconds: float = 3 * DAY_SECONDS
    seed: int = 1


class SoakedFleet:
    """The world, the daemon in it, and what is seen of them."""

    def __init__(self, plan: Plan, loop: VirtualLoop, folder: Path) -> None:
        self.plan = plan
        self.world_clock = WorldClock(loop, START)
        machine = Machine(self.world_clock)
        self.clock = SystemClock(wall=machine.wall, monotonic=machine.monotonic)
        self.chance = Random(f"{plan.seed}:soak")
        self.emulation = GaugesOnly(
            self.world_clock, seed=plan.seed, account=ACCOUNT, accelerator_quota=PLENTY
        )
        self.emulation.events._events = deque(maxlen=EVENTS_KEPT)
        self.weather = Weather(Random(f"{plan.seed}:weather"), self.emulation)
        self.network = Network(
            self.emulation, self.weather, Random(f"{plan.seed}:network"), latency_seconds=0.05
        )
        self.disk = Disk(folder)
        self.ledger = Ledger(plan.tick_seconds)
        self.numbers: list[int] = []
        self.born_at: dict[int, float] = {}
        self.next_number = 0
        self.evaluated = self.writes = self.refused_pushes = 0
        self.looks: list[Look] = []
        self._processor_at = process_time()
        for _ in range(plan.deployments):
            self._create()
        self.daemon = self._daemon()

    def _daemon(self) -> Daemon:
        plan = self.plan
        account = FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url="http://control.plane")
        chance = Random(f"{plan.seed}:daemon")
        report = read_policy_texts([("soak.yaml", POLICY)], sources={PUSHED, "gauges"})
        if not report.is_valid:
            raise ValueError(f"the soak's own policy is bad: {report.diagnostics}")
        journal = SqliteJournal(
            self.disk.path,
            self.clock,
            worker=InlineWorker(),
            retention=Retention(age_seconds=plan.retention_seconds),
            connect=self.disk.connect,
        )
        connection = SimulatedConnection(self.network, 1)
        gateway = RemoteWriteSettings.model_validate(
            {"type": "remote_write", "token": KEY * 3, "rate_window": "1h", "forget_after": "1h"}
        )
        daemon = Daemon(
            clock=self.clock,
            targets=[FireworksTarget(account, self.clock, rng=chance, connection=connection)],
            sources=[Gauges(self.clock, interval_seconds=plan.poll_seconds)],
            push_sources=push_sources({PUSHED: gateway}),
            policies=report.policies,
            timing=Timing(
                tick_interval_seconds=plan.tick_seconds,
                fleet_refresh_interval_seconds=plan.listing_seconds,
            ),
            journal=AuditedJournal(journal, self.ledger),
            random=chance,
            on_tick=self._heard_tick,
            on_outcome=self._heard_outcome,
        )
        self._listen(daemon._deciding.trigger)
        return daemon

    def _listen(self, trigger: Trigger) -> None:
        """Let the ledger know whom a push wakes."""
        wake = trigger.wake

        def heard(names: Iterable[str], lane: str = URGENT) -> None:
            names = tuple(names)
            if lane == PUSHED:
                self.ledger.wake(names, self.world_clock.now())
            wake(names, lane)

        trigger.wake = heard  # type: ignore[method-assign]  # what it does stays; it is only listened to

    def _heard_tick(self, tick: Tick) -> None:
        self.evaluated += len(tick.decisions)
        self.ledger.heard(tick)
        for event in tick.events:
            if event.kind is EventKind.GONE:
                self.ledger.forget(event.deployment)

    def _heard_outcome(self, _: object) -> None:
        self.writes += 1

    # -- the fleet -------------------------------------------------------------------------------
    def _create(self) -> None:
        number, self.next_number = self.next_number, self.next_number + 1
        self.numbers.append(number)
        self.born_at[number] = self.world_clock.now()
        self.emulation.add_deployment(
            ACCOUNT,
            f"d{number}",
            shape=SHAPE,
            min=1,
            max=20,
            replicas_ready=3,
            display_name=f"soak-{number}",
        )

    async def replace(self) -> None:
        """Delete a deployment and create another, for ever."""
        while self.plan.replaced_per_day:
            await asyncio.sleep(self._gap(self.plan.replaced_per_day))
            number = self.numbers.pop(self.chance.randrange(len(self.numbers)))
            reply = await ask(
                self.emulation,
                "DELETE",
                f"/v1/accounts/{ACCOUNT}/deployments/d{number}",
                query={"ignoreChecks": "true", "hard": "true"},
                headers={"Authorization": f"Bearer {KEY}"},
            )
            if reply is None or reply.status != 200:
                self.numbers.append(number)  # a fault struck; another time
            else:
                del self.born_at[number]
                self._create()

    # -- load ------------------------------------------------------------------------------------
    async def push(self) -> None:
        """Push every deployment's load once in each interval, a batch at a time, for ever."""
        while True:
            batches = [
                self.numbers[begin : begin + BATCH] for begin in range(0, len(self.numbers), BATCH)
            ]
            for batch in batches:
                await asyncio.sleep(self.plan.push_seconds / len(batches))
                await self._push(batch)

    async def _push(self, numbers: list[int]) -> None:
        now = self.world_clock.now()
        labels = [labels_of_load(metric, number) for metric in LOADS for number in numbers]
        values = [load(number, now) for load in LOADS.values() for number in numbers]
        known = set(self.daemon.fleet.deployments)
        answer = await self.daemon.desks[0].take(PUSH, remote_write(labels, values, now))
        if answer.status != 204:
            self.refused_pushes += 1
            return
        # The rate of a counter that has just begun, or has begun anew, is not known.
        has_rate = now % DAY_SECONDS > 2 * self.plan.push_seconds
        for number in numbers:
            name = f"accounts/{ACCOUNT}/deployments/d{number}"
            if name in known:
                self.ledger.acknowledge(name, "requests", now, now)
                if has_rate and self.born_at.get(number, now) < now - 2 * self.plan.push_seconds:
                    self.ledger.acknowledge(name, "served", now, now)

    # -- faults ----------------------------------------------------------------------------------
    async def storms(self) -> None:
        """Let the network and the platform fail now and then, for ever."""
        while self.plan.storms_per_day:
            await asyncio.sleep(self._gap(self.plan.storms_per_day))
            seconds = self.chance.uniform(60.0, 1200.0)
            self.weather.break_out(self.chance.choice(STORMS), seconds)
            await asyncio.sleep(seconds)
            self.weather.pass_by()

    async def disk_faults(self) -> None:
        """Let the journal's disk fail now and then, for ever."""
        kinds = sorted(FAULTS.keys() - {"journal_malformed"})
        while self.plan.disk_faults_per_day:
            await asyncio.sleep(self._gap(self.plan.disk_faults_per_day))
            kind = self.disk.fault = self.chance.choice(kinds)
            await asyncio.sleep(self.chance.uniform(10.0, 600.0))
            self.disk.fault = None
            # The disk raises one and the same exception, which would keep all it ever passed through.
            FAULTS[kind].with_traceback(None)
            FAULTS[kind].__context__ = None

    def _gap(self, per_day: float) -> float:
        return self.chance.expovariate(per_day / DAY_SECONDS)

    # -- looking ---------------------------------------------------------------------------------
    def look(self) -> Look:
        """Note how things are."""
        objects, own = count_objects()
        lags = self.ledger.take_lags()
        used = process_time()
        look = Look(
            at_days=self.world_clock.monotonic() / DAY_SECONDS,
            resident_bytes=resident_bytes(),
            objects=objects,
            own_objects=own,
            lag_p99_seconds=percentile(lags, 99) if lags else 0.0,
            lag_worst_seconds=max(lags, default=0.0),
            evaluated=self.evaluated,
            acknowledged=self.ledger.acknowledged,
            told=self.ledger.told,
            writes=self.writes,
            journal_bytes=self.disk.path.stat().st_size if self.disk.path.exists() else 0,
            processor_seconds=used - self._processor_at,
        )
        self._processor_at = process_time()
        self.looks.append(look)
        return look

    def failures(self) -> list[str]:
        """Return a sentence for everything that was promised and not kept until now."""
        now = self.world_clock.now()
        lost, overdue = self.ledger.lost(now), self.ledger.overdue(now)
        sentences = [f"{len(lost)} acknowledged samples were lost: {lost[0]}"] if lost else []
        if overdue:
            sentences.append(f"{len(overdue)} deployments were woken and left alone: {overdue[0]}")
        return sentences


@lru_cache(maxsize=100_000)
def labels_of_load(metric: str, number: int) -> bytes:
    """Return the labels of a deployment's series."""
    return labels_of(metric, f"d{number}", number)


def as_json(fleet: SoakedFleet) -> str:
    """Return what was seen, one look a line."""
    return "".join(
        json.dumps({name: getattr(one, name) for name in Look.__slots__ if name != "own_objects"})
        + "\n"
        for one in fleet.looks
    )
