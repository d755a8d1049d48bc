#!/usr/bin/env python3
"""``kill -9``, again and again: ``make kill-loop TIMES=200``.

The real ``trimtab run`` works against the real ``trimtab emulate`` over HTTP while loads and policies
swing, and is killed at moments of every kind; each time a new one takes over its journal. What the
emulator saw is compared with what the journal says: no write lost, none doubled, no limit forgotten.
Prints one JSON object; sentences go to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from time import perf_counter, time  # noqa: TID251  real processes, real time
from typing import Any

from running import Trimtab
from swinging_fleet import FoundError, SwingingFleet, daemon_environment, policy_text, swinging
from write_ledger import Arrival, Ledger, Limits

from trimtab.errors import JournalError
from trimtab.journal.history import History, WriteRecord

SPEED = 30.0
DEPLOYMENTS = 20
LIMITS = Limits(replicas=3, period_seconds=10.0)
REST_EVERY = 40
"""Kills between two rests: a write whose end is in doubt is waited for during one, not in between."""

WRITES_MAX = 1_000_000
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 150.0
"""For a deployment to be where it should: the quiet time of an interrupted write is 60 s of it."""

RATES = (0.0, 5.0, 25.0, 45.0, 85.0, 115.0)


class Aim(StrEnum):
    """When the process is killed."""

    ANY_TIME = "any time"
    START = "during the start"
    INTENTION = "right after an intention is durable"
    BEFORE_APPLIED = "while a PATCH is on its way, which is applied later"
    NEVER_APPLIED = "while a PATCH is on its way, which is lost"
    AFTER_APPLIED = "when a PATCH is applied and its answer is lost"
    RELOAD = "during a reload of the policies"
    CHECKPOINT = "when the journal has just moved into its file"


_FAULTS = {
    Aim.BEFORE_APPLIED: [{"kind": "latency", "seconds": 0.5 * SPEED}],
    Aim.NEVER_APPLIED: [{"kind": "latency", "seconds": 0.5 * SPEED}, {"kind": "reset"}],
    Aim.AFTER_APPLIED: [{"kind": "applied_reset"}],
}


@dataclass
class World(SwingingFleet):
    """What the emulator saw besides."""

    arrivals: list[Arrival] = field(default_factory=list)
    _seen: int = 0

    async def look(self) -> None:
        """Take in what arrived since the last look; times become those of the real clock."""
        before = time()
        overview = await self.lever("GET", "/_emu/")
        answer = await self.lever("GET", f"/_emu/events?since={self._seen}")
        for event in answer["events"]:
            self._seen = event["sequence"]
            at = before - (overview["now"] - event["at"]) / SPEED
            details = event["details"]
            is_write = event["kind"] == "deployment_updated"
            is_struck = details.get("operation") == "UpdateDeployment"
            if is_write and event["subject"] in self.names:
                low, high = details["bounds"]
                self.arrivals.append(Arrival(event["subject"], at, (low, high)))
            elif event["kind"] == "fault" and is_struck and details["fault"] == "reset":
                self.arrivals.append(Arrival(event["subject"], at, None))

    async def is_struck(self) -> bool:
        """Wait until a PATCH has arrived since the last look and met a fault; whether one has."""

        async def faults() -> int:
            answer = await self.lever("GET", f"/_emu/events?since={self._seen}")
            return sum(event["kind"] == "fault" for event in answer["events"])

        return await _changes(faults)


@dataclass
class Loop:
    """Lives and deaths, one journal. ``rng`` decides everything that the harness does."""

    world: World
    folder: Path
    rng: Random
    aims: tuple[Aim, ...] = tuple(Aim)
    ground: int = 1
    deaths: Counter[Aim] = field(default_factory=Counter)
    met: Counter[Aim] = field(default_factory=Counter)
    unfinished_at_death: int = 0

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    def process(self) -> Trimtab:
        environment = daemon_environment(
            self.world.base_url, TRIMTAB_JOURNAL__PATH=str(self.journal)
        )
        return Trimtab(("run", "--policies", str(self.folder / "policies")), environment)

    def write_policy(self, ground: int) -> None:
        """Put the policy there in one step, as whoever mounts configuration does."""
        self.ground = ground
        folder = self.folder / "policies"
        folder.mkdir(exist_ok=True)
        limits = f"limits: [{{replicas: {LIMITS.replicas}, period: {LIMITS.period_seconds:g}s}}]"
        behavior = f"{{stabilization: 0s, {limits}}}"
        text = policy_text(ground=ground, up=behavior, down=behavior)
        (folder / ".new").write_text(text, encoding="utf-8")
        (folder / ".new").replace(folder / "all.yaml")

    async def one_life(self) -> None:
        """Start a process, kill it at some moment, and look at what it left behind."""
        aim = self.rng.choice(self.aims)
        names = self.rng.sample(self.world.names, 5)
        await self.world.swing(self.rng, names, RATES)
        self.write_policy(self.rng.randint(1, 6))
        await self.world.look()
        for fault in _FAULTS.get(aim, ()):
            body = {**fault, "operation": "UpdateDeployment", "count": 1}
            await self.world.lever("POST", "/_emu/faults", **body)
        async with self.process() as process:
            self.met[aim] += await self._until(aim, process)
            if process.process.returncode is not None:
                raise FoundError(
                    f"trimtab ended by itself:\n{process.raw_output}\n{process.errors}"
                )
            process.process.kill()
            await process.process.wait()
        self.deaths[aim] += 1
        if aim in _FAULTS:
            await self.world.lever("DELETE", "/_emu/faults")
        self.look_at_journal()

    async def _until(self, aim: Aim, process: Trimtab) -> bool:
        """Wait for the moment that is aimed at; whether it came."""
        rng, moment = self.rng, 0.0
        is_met = True
        match aim:
            case Aim.ANY_TIME:
                moment = rng.uniform(0.0, 4.0)
            case Aim.START:
                moment = rng.uniform(0.2, 1.6)
            case Aim.RELOAD:
                await process.wait_for("started")
                await asyncio.sleep(rng.uniform(0.0, 1.0))
                self.write_policy(self.ground % 6 + 1)
                moment = rng.uniform(0.0, 0.6)
            case Aim.INTENTION:
                is_met = await _changes(self._newest_write)
                moment = rng.choice((0.0, 0.0, rng.uniform(0.0, 0.02)))
            case Aim.CHECKPOINT:
                is_met = await _changes(self._file_state)
            case _:
                is_met = await self.world.is_struck()
                moment = rng.uniform(0.0, 0.1)
        await asyncio.sleep(moment)
        return is_met

    async def _newest_write(self) -> object:
        try:
            with History(self.journal) as history:
                newest = history.writes(limit=1)
        except JournalError:  # not there yet
            return None
        return newest[0].order if newest else None

    async def _file_state(self) -> object:
        try:
            state = self.journal.stat()
        except FileNotFoundError:
            return None
        return state.st_mtime_ns, state.st_size

    def look_at_journal(self) -> None:
        """The file is whole, whatever moment it was left in."""
        if not self.journal.exists():
            return
        try:
            with History(self.journal) as history:
                damage = history.damage()
                self.unfinished_at_death += history.summary().unfinished
        except JournalError as error:
            if "empty" in str(error):  # killed before the first table was made
                return
            raise FoundError(f"the journal cannot be read: {error}") from error
        if damage:
            raise FoundError(f"the journal is damaged: {damage}")

    def writes(self) -> list[WriteRecord]:
        """Every write of the journal, the oldest first."""
        with History(self.journal) as history:
            return history.writes(limit=WRITES_MAX)[::-1]

    async def heal(self, *, waits_for_doubtful: bool = True) -> float:
        """Leave one process alone until all is as the policy wants it; seconds that it took.

        A write in doubt holds its deployment for a minute; without ``waits_for_doubtful`` that is
        excused.
        """
        ground = 4
        await self.world.lever("DELETE", "/_emu/faults")
        for name in self.world.names:
            await self.world.load(name, 0.0)
        self.write_policy(ground)
        started = perf_counter()
        async with self.process() as process:
            await process.wait_for("started")  # before that, SIGTERM ends it as it ends any program
            while True:
                bounds = await self.world.bounds()
                unfinished = [write for write in self.writes() if write.ended_at is None]
                held = {write.order.deployment for write in unfinished}
                excused = set() if waits_for_doubtful else held
                away = {name for name, one in bounds.items() if one != [ground, ground]}
                if not away - excused and (not unfinished or not waits_for_doubtful):
                    break
                if perf_counter() - started > PATIENCE_SECONDS:
                    raise FoundError(f"no convergence: {bounds}, unfinished: {unfinished}")
                await asyncio.sleep(0.2)
            took = perf_counter() - started
            process.process.terminate()
            code = await process.ended()
            if code != 0 or process.errors:
                raise FoundError(f"a clean stop ended with {code}: {process.errors}")
        await self.world.look()
        self.look_at_journal()
        return took


async def _changes(look: Callable[[], Awaitable[object]], seconds: float = 5.0) -> bool:
    """Wait until ``look`` sees something else than now; whether it does within ``seconds``."""
    until = perf_counter() + seconds
    known = await look()
    while (is_known := await look() == known) and perf_counter() < until:  # noqa: ASYNC110  other processes set no event
        await asyncio.sleep(POLL_SECONDS)
    return not is_known


async def kill(
    *, times: int, seed: int, aims: tuple[Aim, ...] = tuple(Aim), waits_for_doubtful: bool = True
) -> dict[str, Any]:
    """Kill ``times`` times, heal, compare; the numbers. Raises ``FoundError``."""
    started = perf_counter()
    with tempfile.TemporaryDirectory(prefix="trimtab-kill-") as folder:
        async with swinging(World, DEPLOYMENTS, speed=SPEED, seed=seed) as world:
            loop = Loop(world, Path(folder), Random(seed), aims)
            for number in range(times):
                try:
                    await loop.one_life()
                except FoundError as error:
                    raise FoundError(f"after {number} kills of seed {seed}: {error}") from error
                if number % REST_EVERY == REST_EVERY - 1 and number < times - 1:
                    took = await loop.heal()
                    arrived = len(world.arrivals)
                    sys.stderr.write(
                        f"{number + 1} kills, {arrived} writes, healed in {took:.0f} s\n"
                    )
            healed_seconds = await loop.heal(waits_for_doubtful=waits_for_doubtful)
            ledger = Ledger(loop.writes(), world.arrivals, LIMITS)
            if faults := ledger.faults(are_open_excused=not waits_for_doubtful):
                raise FoundError(f"seed {seed}, {times} kills:\n" + "\n".join(faults))
    return {
        "seed": seed,
        "kills": times,
        "aims": {aim.value: [loop.met[aim], count] for aim, count in sorted(loop.deaths.items())},
        "intentions": len(ledger.writes),
        "patches_arrived": len(world.arrivals),
        "patches_applied": sum(one.bounds is not None for one in world.arrivals),
        "ends": dict(Counter(str(write.status) for write in ledger.writes)),
        "unfinished_at_death": loop.unfinished_at_death,
        "healed_seconds": round(healed_seconds, 1),
        "seconds": round(perf_counter() - started, 1),
        "faults": 0,
    }


def main() -> int:
    """Run; 0 if nothing was lost, doubled or damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    try:
        numbers = asyncio.run(kill(times=wanted.times, seed=wanted.seed))
    except FoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(numbers)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
