"""The processes of a measurement: the emulated account, and ``trimtab run`` with its journal on disk."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import aiohttp
from tests.bench.processes.emulated_account import ACCOUNT

PATIENCE_SECONDS = 180.0
TOKEN = "bench-token-0123456789"
HERE = Path(__file__).parent
ROOT = HERE.parents[2]

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: bench, owner: benchmarks}
spec:
  deployments: {match: {displayName: "bench-*"}}
  bounds: {min: 1, max: 1000}
  whileUpdating: up
  signals:
    load: {source: jobs, query: load, maxAge: 10m}
    rate: {source: gateway, query: sum(rate), maxAge: 10m}
    queue: {source: gateway, query: sum(queue), maxAge: 10m}
    busy: {source: gateway, query: sum(busy), maxAge: 10m}
  rules:
    - {name: jobs, role: demand, strategy: {type: target, signal: load, target: 1, tolerance: 0}}
    - {name: rate, role: demand, strategy: {type: target, signal: rate, target: 1000}}
    - {name: queue, role: demand, strategy: {type: target, signal: queue, target: 1000}}
    - {name: busy, role: demand, strategy: {type: target, signal: busy, target: 1000}}
  behavior:
    scaleUp: {stabilization: 0s, limits: [{replicas: 1000, period: 60s}]}
"""
"""What is pushed to ``jobs`` is the count that is wanted; the others ask for one replica or two, fewer than run."""

ONE_REPLICA = 1000.0
"""Of each of the others, what one replica carries."""

BACKGROUND_METRICS = ("rate", "queue", "busy")


def settings(base_url: str, folder: Path, *, has_journal: bool) -> dict[str, Any]:
    """Everything that has a default has it, but for how much one sender may send."""
    free = {"token": TOKEN, "requests_per_second": 1000, "samples_per_second": 100_000}
    return {
        "policies": str(folder / "policies"),
        "accounts": {ACCOUNT: {"api_key": "bench", "base_url": base_url}},
        "sources": {
            "jobs": {"type": "json", **free},
            "gateway": {"type": "remote_write", **free},
        },
        "journal": {"path": str(folder / "journal.db") if has_journal else "off"},
        "listen": "127.0.0.1:0",
    }


def environment() -> dict[str, str]:
    """This process's own, without what would be settings of the daemon."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRIMTAB_", "FIREWORKS_"))
    }
    # The daemon beside these benchmarks, not one that happens to be installed.
    return {**kept, "NO_COLOR": "1", "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far, in seconds of the processor, and what it holds in bytes."""

    loop_seconds: float
    other_threads_seconds: float
    resident_bytes: int

    @property
    def seconds(self) -> float:
        return self.loop_seconds + self.other_threads_seconds


def usage_of(pid: int) -> Usage:
    """Read it from ``/proc``; the loop is the process's first thread."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent: dict[bool, float] = {True: 0.0, False: 0.0}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        spent[task.name == str(pid)] += (int(fields[11]) + int(fields[12])) / ticks
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return Usage(spent[True], spent[False], int(resident.split()[1]) * 1024)


@dataclass
class Child:
    """A process; what it says on standard error is ours, its end is waited for."""

    arguments: tuple[str, ...]
    process: asyncio.subprocess.Process = field(init=False)

    async def start(self, stdout: Any) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.arguments,
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
        )

    @property
    def usage(self) -> Usage:
        return usage_of(self.process.pid)

    async def end(self) -> None:
        """Ask it to end; what does not within a minute is killed."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 60.0)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def check(self) -> None:
        if self.process.returncode is not None:
            raise SystemExit(f"{self.arguments} ended with {self.process.returncode}")


class EmulatedAccount(Child):
    """The emulator's process. Each call of a single deployment is handed to ``on_call`` as it is told of."""

    def __init__(self, deployments: int) -> None:
        script = str(HERE / "emulated_account.py")
        super().__init__((script, "--deployments", str(deployments)))
        self.on_call: Callable[[str, str, float], None] = lambda _method, _name, _at: None
        self.calls: dict[str, int] = defaultdict(int)
        self.base_url = ""

    async def __aenter__(self) -> Self:
        await self.start(asyncio.subprocess.PIPE)
        assert self.process.stdout is not None
        first = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_SECONDS)
        self.base_url = json.loads(first)["listening"]
        self._listening = asyncio.create_task(self._listen(self.process.stdout))
        return self

    async def _listen(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            method, name, at = json.loads(line)
            self.calls[method] += 1
            self.on_call(method, name, at)

    async def __aexit__(self, *_: object) -> None:
        await self.end()
        await self._listening


class TrimtabRun(Child):
    """``trimtab run``, its log in a file; or ``traced_daemon.py``, which runs the same and notes times."""

    def __init__(
        self,
        account: EmulatedAccount,
        folder: Path,
        *,
        trace: Path | None = None,
        profile: Path | None = None,
        has_journal: bool = True,
    ) -> None:
        self._folder = folder
        self._config = folder / "settings.yaml"
        told = settings(account.base_url, folder, has_journal=has_journal)
        self._config.write_text(json.dumps(told))  # JSON is YAML
        (folder / "policies").mkdir(exist_ok=True)
        (folder / "policies" / "bench.yaml").write_text(POLICY)
        runner: tuple[str, ...] = ("-m", "trimtab")
        if trace is not None or profile is not None:
            runner = (str(HERE / "traced_daemon.py"), str(trace or "-"), str(profile or "-"))
        super().__init__((*runner, "run", "--config", str(self._config)))
        self.url = ""
        self.ready_seconds = 0.0

    async def __aenter__(self) -> Self:
        started_at = perf_counter()
        log = self._folder / "log.jsonl"
        with log.open("wb") as file:
            await self.start(file)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                address = await self._address(log)
                self.url = f"http://{address}"
                await self._until_ready()
        except BaseException:
            await self.end()
            raise
        self.ready_seconds = perf_counter() - started_at
        return self

    async def _address(self, log: Path) -> str:
        while True:
            self.check()
            if (address := _address_in(log)) is not None:
                return address
            await asyncio.sleep(0.02)

    async def _until_ready(self) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                self.check()
                async with http.get(f"{self.url}/readyz") as response:
                    if response.status == 200:
                        return
                await asyncio.sleep(0.02)

    async def metrics(self) -> dict[str, float]:
        """Return the sums over all labels of each metric."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as response:
            text = await response.text()
        sums: dict[str, float] = defaultdict(float)
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                sums[series.partition("{")[0]] += float(value)
        return sums

    async def __aexit__(self, *_: object) -> None:
        await self.end()


def _address_in(log: Path) -> str | None:
    for line in log.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if found.get("event") == "started":
            return str(found["listen"])
    return None
