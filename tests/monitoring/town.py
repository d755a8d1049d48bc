"""A town whose daemon is scraped: two and a half hours of virtual time in which everything that a dashboard shows happens.

The daemon is whole, but for HTTP: its control plane is the emulator without sockets, its journal a file, its
load is asked for and pushed. What goes wrong goes wrong on a schedule, one thing after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.bench.processes.load import labels_of, remote_write
from tests.monitoring.scraping import Scraped
from tests.simulation.control_plane import GaugesOnly, plant_steps_of
from tests.simulation.disk import Disk
from tests.simulation.network import KEY, Network, SimulatedConnection
from tests.simulation.virtual_time import Machine, VirtualLoop, WorldClock
from tests.simulation.weather import Weather
from tests.simulation.world import quiet

from trimtab.clock import SystemClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.plant import Load, PastTheEnd, StartTimes, SteppedWorkload
from trimtab.service import reload
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.reload import PolicyFiles
from trimtab.settings_push import RemoteWriteSettings
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
MINUTE, HOUR = 60.0, 3600.0
LIFE_SECONDS = 2.5 * HOUR
SCRAPE_SECONDS = 60.0
ACCOUNT = "town"
LARGE, SMALL, OLD = "llama-70b-throughput", "llama-8b-minimal", "llama-8b-economy"
STARTS = StartTimes(10.0, 60.0, 80.0, failure_probability=0.0)
PUSH = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}

REQUESTS = "{source: fireworks, query: 'request_counter_total:sum_by_deployment', maxAge: 150s}"
BUSY = (
    "{source: fireworks, query: 'requests_coordinator_concurrent_count:avg_by_deployment', "
    "per: replica, maxAge: 150s}"
)
HEAD = "apiVersion: trimtab.dev/v1\nkind: ScalingPolicy\n"
FILES = {
    "chat.yaml": f"""{HEAD}metadata: {{name: chat, owner: ml}}
spec:
  deployments: {{match: {{displayName: "chat*"}}}}
  bounds: {{min: 1, max: 6}}
  signals: {{requests: {REQUESTS}, busy: {BUSY}}}
  rules:
    - name: ahead
      role: demand
      strategy:
        type: capacity
        requests: requests
        inFlight: busy
        capacity: {{requestsPerSecond: 8, inFlight: 100}}
    - {{name: two-at-least, role: floor, strategy: {{type: fixed, replicas: 2}}}}
    - {{name: not-beyond-six, role: ceiling, strategy: {{type: fixed, replicas: 6}}}}
    - {{name: too-hot, role: hold, when: signals.requests > 30.0, blocks: down}}
""",
    "search.yaml": f"""{HEAD}metadata: {{name: search, owner: search}}
spec:
  deployments: {{match: {{displayName: "search*"}}}}
  bounds: {{min: 1, max: 4}}
  signals: {{requests: {{source: gateway, query: requests, maxAge: 5m}}}}
  rules:
    - {{name: rate, role: demand, strategy: {{type: target, signal: requests, target: 10}}}}
  behavior: {{scaleDown: {{stabilization: 60s}}}}
""",
    "research.yaml": f"""{HEAD}metadata: {{name: research, owner: research}}
spec:
  deployments: {{match: {{displayName: "research*"}}}}
  bounds: {{min: 1, max: 30}}
  stuck: {{after: 5m}}
  signals: {{requests: {REQUESTS}}}
  rules:
    - {{name: rate, role: demand, strategy: {{type: target, signal: requests, target: 10}}}}
""",
    "batch.yaml": f"""{HEAD}metadata: {{name: batch, owner: batch}}
spec:
  mode: advise
  deployments: {{match: {{displayName: "batch*"}}}}
  bounds: {{min: 1, max: 8}}
  signals: {{requests: {REQUESTS}, odd: {{source: odd, query: anything, maxAge: 5m}}}}
  rules:
    - {{name: rate, role: demand, strategy: {{type: target, signal: requests, target: 10}}}}
    - {{name: odd, role: demand, strategy: {{type: target, signal: odd, target: 10}}}}
""",
    "fleet.yaml": """apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {name: town, owner: platform}
spec:
  timezone: UTC
  quotas: [{accelerator: NVIDIA_H100_80GB, max: 32}]
  prices: {NVIDIA_H100_80GB: 7.00, NVIDIA_A100_80GB: 3.89}
  spend: {hour: {usd: 5000}, day: {usd: 20000}}
""",
}
SOURCES = {"fireworks", "gateway", "odd"}


class OddSource:
    """Has a bug that shows once, half an hour in; otherwise it always says the same."""

    name, endpoint = "odd", "memory"
    interval_seconds = 60.0

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._breaks_at: float | None = clock.now() + 30 * MINUTE

    def serves(self, _: str) -> bool:
        return True

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        now = self._clock.now()
        if self._breaks_at is not None and now > self._breaks_at:
            self._breaks_at = None
            raise RuntimeError("a bug of a source")
        return [Sample(name, one.name, now, 5.0) for name in wanted for one in wanted[name]]

    async def close(self) -> None:
        pass


class Town:
    """The world, the daemon in it, and what was scraped of it."""

    def __init__(self, loop: VirtualLoop, folder: Path) -> None:
        self.world_clock = WorldClock(loop, START)
        self.machine = Machine(self.world_clock)
        self.clock = SystemClock(wall=self.machine.wall, monotonic=self.machine.monotonic)
        self.emulation = GaugesOnly(self.world_clock, seed=1, account=ACCOUNT, accelerator_quota=40)
        self.network = Network(
            self.emulation,
            Weather(Random(1), self.emulation),
            Random("network"),
            latency_seconds=0.05,
        )
        self.disk = Disk(folder)
        self.policies = folder / "policies"
        self.policies.mkdir()
        for name, text in FILES.items():
            (self.policies / name).write_text(text, encoding="utf-8")
        self.changed = asyncio.Event()
        self.pushed = 15.0
        self.scraped = Scraped({"job": "trimtab", "instance": "town:9464"})
        self._populate()
        self.daemon = self._daemon()

    def _populate(self) -> None:
        def steps(*of_time: tuple[float, float]) -> SteppedWorkload:
            loads = [(seconds, Load(rate, 500.0, 100.0)) for seconds, rate in of_time]
            return SteppedWorkload(loads, past_the_end=PastTheEnd.HOLD)

        for name, shape, ready, load in (
            ("chat", LARGE, 2, steps((30 * MINUTE, 14.0), (HOUR, 34.0), (HOUR, 12.0))),
            ("search", SMALL, 2, steps((HOUR, 15.0))),
            ("research", SMALL, 1, steps((HOUR, 8.0), (40 * MINUTE, 180.0), (HOUR, 20.0))),
            ("batch", OLD, 1, steps((HOUR, 25.0), (HOUR, 45.0))),
            ("research-old", OLD, 2, steps((HOUR, 18.0))),
        ):
            self.emulation.add_deployment(
                ACCOUNT,
                name,
                shape=shape,
                workload=load,
                min=1,
                max=30,
                replicas_ready=ready,
                display_name=name,
                start_times=STARTS,
            )
        self.emulation.deployments[self.name("batch")].spec["expireTime"] = START + 20 * HOUR

    @staticmethod
    def name(deployment: str) -> str:
        return f"accounts/{ACCOUNT}/deployments/{deployment}"

    def _daemon(self) -> Daemon:
        rng = Random("daemon")
        account = FireworksAccount(account_id=ACCOUNT, api_key=KEY, base_url="http://control.plane")
        target = FireworksTarget(
            account, self.clock, rng=rng, connection=SimulatedConnection(self.network, 1)
        )
        metrics = FireworksMetrics(
            self.clock,
            account_id=ACCOUNT,
            scrape=target.client.scrape_metrics,
            interval_seconds=30.0,
        )
        files = PolicyFiles(self.policies, sources=SOURCES)
        report, in_force, _ = files.read()
        assert report.is_valid, report.diagnostics
        gateway = RemoteWriteSettings.model_validate({"type": "remote_write", "token": KEY * 3})
        return Daemon(
            clock=self.clock,
            targets=[target],
            sources=[metrics, OddSource(self.clock)],
            push_sources=push_sources({"gateway": gateway}),
            policies=in_force.policies,
            fleet_policy=in_force.fleet,
            policy_files=files,
            journal=SqliteJournal(
                self.disk.path,
                self.clock,
                worker=InlineWorker(),
                connect=self.disk.connect,
                make_log=self.disk.make_log,
            ),
            random=rng,
        )

    # -- what happens ----------------------------------------------------------------------------

    def agenda(self) -> Iterator[tuple[float, Callable[[], object]]]:
        """Yield what happens when, in seconds from the start."""
        add, until = self.emulation.faults.add, self.fault_until
        yield 12 * MINUTE, lambda: self.order(kind="pause", deployment="research-old")
        yield 15 * MINUTE, lambda: self.order(kind="block", blocks="down", all=True)
        yield 20 * MINUTE, lambda: setattr(self, "pushed", 80.0)  # twice what four replicas carry
        yield 35 * MINUTE, lambda: self.write_policy("search.yaml", "metadata: [")
        yield 45 * MINUTE, lambda: self.write_policy("search.yaml", FILES["search.yaml"])
        yield 50 * MINUTE, lambda: setattr(self, "pushed", 12.0)
        # From the hour on research wants 18 accelerators: at first none comes at all, then there is the quota.
        yield 60 * MINUTE, lambda: add(until(FaultKind.CAPACITY_STUCK, 72, target="*research"))
        yield 70 * MINUTE, lambda: setattr(self.disk, "fault", "journal_full")
        yield 75 * MINUTE, lambda: setattr(self.disk, "fault", None)
        yield 86 * MINUTE, lambda: setattr(self, "pushed", 38.0)
        yield 86 * MINUTE, lambda: add(until(FaultKind.ERROR, 94, operation="UpdateDeployment"))
        yield 96 * MINUTE, lambda: add(until(FaultKind.METRICS_GAP, 106, target="*"))
        yield 100 * MINUTE, lambda: add(until(FaultKind.ERROR, 104, operation="ScrapeMetrics"))
        yield 110 * MINUTE, lambda: setattr(self.machine, "offset_seconds", 90.0)
        yield 115 * MINUTE, lambda: add(until(FaultKind.ERROR, 125, operation="*"))
        yield 130 * MINUTE, self.push_rubbish

    def fault_until(
        self, kind: FaultKind, minute: float, *, operation: str = "*", target: str = "*"
    ) -> Fault:
        """Return a fault that ends at that minute of the world."""
        fault = Fault(kind, operation, target, None, 1.0, START + minute * MINUTE)
        fault.status = 403 if operation == "UpdateDeployment" else 503
        return fault

    def write_policy(self, name: str, text: str) -> None:
        (self.policies / name).write_text(text, encoding="utf-8")
        self.changed.set()

    async def order(self, **body: object) -> None:
        order = {"for": "40m", "author": "ana", "reason": "a test", **body}
        status, answer = await self.daemon.desk.give(order, "127.0.0.1")
        assert status < 300, answer

    async def push_rubbish(self) -> None:
        answer = await self.daemon.desks[0].take(PUSH, b"rubbish")
        assert answer.status == 400, answer

    async def live(self) -> None:
        """Live until the end, scraped every minute."""
        async with self.daemon:
            tasks = [asyncio.create_task(one) for one in (self._happen(), self._push())]
            while self.world_clock.monotonic() < LIFE_SECONDS:
                await asyncio.sleep(SCRAPE_SECONDS)
                self.emulation.advance()
                page = "".join(self.daemon.exposition.pieces(is_openmetrics=True))
                self.scraped.take(page, self.world_clock.now())
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        await self.network.close()

    async def _happen(self) -> None:
        for at, what in sorted(self.agenda(), key=lambda one: one[0]):
            await asyncio.sleep(max(0.0, at - self.world_clock.monotonic()))
            pending = what()
            if asyncio.iscoroutine(pending):
                await pending

    async def _push(self) -> None:
        labels = [labels_of("requests", "search", 1)]
        while True:
            body = remote_write(labels, [self.pushed], self.clock.now())
            await self.daemon.desks[0].take(PUSH, body)
            await asyncio.sleep(15.0)

    async def watch(self, path: Path, **_: object) -> AsyncIterator[set[str]]:
        """Stand in for the file watcher, in virtual time."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield {str(path)}


@contextmanager
def _watched_by(town: Town) -> Iterator[None]:
    real = reload.awatch
    reload.awatch = town.watch  # type: ignore[assignment]  # the files are watched in virtual time
    try:
        yield
    finally:
        reload.awatch = real


def lived() -> Town:
    """Return the town after its life."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  syncs cost nothing there
    with tempfile.TemporaryDirectory(prefix="trimtab-town-", dir=memory) as folder:
        return _lived(Path(folder))


def _lived(folder: Path) -> Town:
    loop = VirtualLoop()

    async def live() -> Town:
        town = Town(loop, folder)
        with _watched_by(town):
            await town.live()
        return town

    with plant_steps_of(10.0), quiet():
        try:
            return loop.run_until_complete(live())
        finally:
            loop.close()
