"""Several real daemons on a real PostgreSQL, killed, stopped and cut off: ``make members MINUTES=10``.

Three ``trimtab run`` share the deployments of one ``trimtab emulate``. One is killed (-9) every 30 s, one is
stopped (SIGSTOP) for longer than its lease, PostgreSQL is restarted twice, connections are cut in each direction.
Each daemon reaches the emulator through a proxy of its own, so that it is known who sent what; a trigger in
the database writes down every claim. Afterwards each write is compared with who held its bucket when it
arrived. Prints one JSON object; sentences go to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random
from time import time  # noqa: TID251  real processes, real time
from typing import Any

import asyncpg
from tests.acceptance.proxies import Arrival, ControlPlaneProxy, DatabaseProxy
from tests.servers.postgresql_process import PostgresqlProcess

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from running import Trimtab
from swinging_fleet import (
    REPLICAS_MAX,
    FoundError,
    SwingingFleet,
    daemon_environment,
    policy_text,
    swinging,
)

from trimtab.coordination.buckets import BUCKETS, bucket_of

SPEED = 10.0
LEASE_SECONDS = 6.0
KILL_EVERY_SECONDS = 30.0
SLACK_SECONDS = 1.5
"""For a machine that is busy with all of this at once."""

RATES = (5.0, 25.0, 45.0, 65.0, 85.0)

AUDIT = """
CREATE TABLE IF NOT EXISTS public.audit (
    at timestamptz NOT NULL, bucket integer, holder text, term bigint);
CREATE OR REPLACE FUNCTION public.note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.term IS DISTINCT FROM OLD.term THEN
        INSERT INTO public.audit VALUES (clock_timestamp(), NEW.bucket, NEW.holder, NEW.term);
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER audited AFTER UPDATE ON trimtab.trimtab_leases
    FOR EACH ROW EXECUTE FUNCTION public.note_claim();
"""


@dataclass
class Claim:
    """A bucket that ``member`` (the name of its place, without what makes its start unique) claimed."""

    at: float
    bucket: int
    member: str
    term: int


@dataclass
class Emulator(SwingingFleet):
    """What is asked of each deployment, and how far its replicas are from that."""

    rates: dict[str, float] = field(default_factory=dict)

    async def swing_some(self, rng: Random, count: int) -> None:
        """Give some deployments another load."""
        names = rng.sample(self.names, min(count, len(self.names)))
        self.rates |= await self.swing(rng, names, RATES)

    async def missing(self) -> tuple[int, int]:
        """Return how many replicas are missing, and how many are needed in all."""
        bounds = await self.bounds()
        missing = needed = 0
        for name, rate in self.rates.items():
            need = min(REPLICAS_MAX, max(1, ceil(rate / 10.0)))
            needed += need
            missing += max(0, need - bounds[name][0])
        return missing, needed


class Place:
    """A place that a daemon runs at: killed and started again, behind the same two proxies."""

    def __init__(
        self, name: str, folder: Path, plane: ControlPlaneProxy, database: DatabaseProxy
    ) -> None:
        self.name = name
        self.plane = plane
        self.database = database
        self._folder = folder
        self._process: Trimtab | None = None
        self.starts = 0
        self.logs: Path | None = None

    async def start(self) -> None:
        url = f"postgresql://trimtab@127.0.0.1:{self.database.port}/postgres"
        environment = daemon_environment(
            self.plane.base_url,
            TRIMTAB_TICK_INTERVAL="3s",
            TRIMTAB_FLEET_REFRESH_INTERVAL="3s",
            TRIMTAB_JOURNAL__POSTGRESQL__URL=url,
            TRIMTAB_COORDINATION__SERVICE="postgresql",
            TRIMTAB_COORDINATION__POSTGRESQL__URL=url,
            TRIMTAB_COORDINATION__LEASE=f"{LEASE_SECONDS:g}s",
            TRIMTAB_COORDINATION__MEMBER=self.name,
        )
        del environment["TRIMTAB_JOURNAL__PATH"]
        self._process = Trimtab(("run", "--policies", str(self._folder)), environment)
        await self._process.__aenter__()
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.process.send_signal(number)

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.__aexit__()
            if self.logs is not None:
                log = self.logs / f"{self.name}-{self.starts}.log"
                log.write_text(f"{self._process.raw_output}{self._process.errors}")
            self._process = None

    @property
    def said(self) -> str:
        assert self._process is not None
        return f"{self._process.raw_output[-3000:]}\n{self._process.errors[-3000:]}"

    def has_ended(self) -> bool:
        return self._process is not None and self._process.process.returncode is not None


@dataclass
class Trial:
    """What is done to the daemons, and what came of it."""

    server: PostgresqlProcess
    emulator: Emulator
    places: list[Place]
    rng: Random
    load_rng: Random
    is_calm: bool
    kills: list[tuple[float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    missing: list[float] = field(default_factory=list)

    async def begin(self) -> None:
        """Start all, once the first has made the tables and the trigger is set."""
        await self.places[0].start()
        while not await self._is_audited():
            self._check()
            await asyncio.sleep(0.3)
        for place in self.places[1:]:
            await place.start()
        await asyncio.sleep(LEASE_SECONDS)

    async def _is_audited(self) -> bool:
        connection = await asyncpg.connect(self.server.url)
        try:
            await connection.execute(AUDIT)
            await connection.execute(  # what was claimed before it
                "INSERT INTO public.audit SELECT claimed_at, bucket, holder, term FROM trimtab.trimtab_leases "
                "WHERE term > 0"
            )
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()
        return True

    def _check(self) -> None:
        for place in self.places:
            if place.has_ended():
                raise FoundError(f"{place.name} ended by itself:\n{place.said}")

    async def live(self, minutes: float) -> None:
        """Do everything that is to be done, spread over the time, and look once a second how much is missing."""
        looking = asyncio.create_task(self._look())
        try:
            await self._live(minutes)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            missing, needed = await self.emulator.missing()
            self.missing.append(missing / max(1, needed))

    async def _live(self, minutes: float) -> None:
        until = time() + minutes * 60.0
        rounds = max(2, round(minutes * 60.0 / KILL_EVERY_SECONDS))
        restarts = {rounds // 3, 2 * rounds // 3}
        for number in range(rounds):
            ends_at = min(until, time() + KILL_EVERY_SECONDS)
            await self.emulator.swing_some(self.load_rng, max(3, len(self.emulator.names) // 10))
            self._check()
            if not self.is_calm:
                await self._kill_one()
                if number in restarts:
                    await self._restart_database()
                elif number == rounds // 2:
                    await self._stop_one()
                elif number % 2:
                    await self._cut_one(is_up=number % 4 == 1)
            await asyncio.sleep(max(0.0, ends_at - time()))
            sys.stderr.write(f"{number + 1} of {rounds} rounds: {dict(self.done)}\n")

    async def _kill_one(self) -> None:
        place = self.rng.choice(self.places)
        self.kills.append((time(), place.name))
        await place.kill()
        self.done["killed"] += 1
        await asyncio.sleep(self.rng.uniform(0.0, 2.0 * LEASE_SECONDS))
        await place.start()

    async def _stop_one(self) -> None:
        place = self.rng.choice(self.places)
        place.signal(signal.SIGSTOP)
        await asyncio.sleep(2.5 * LEASE_SECONDS)
        place.signal(signal.SIGCONT)
        self.done["stopped"] += 1

    async def _restart_database(self) -> None:
        began = time()
        await asyncio.to_thread(self.server.kill if self.done["restarted"] else self.server.stop)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(self.server.start)
        self.outages.append((began, time()))
        self.done["restarted"] += 1

    async def _cut_one(self, *, is_up: bool) -> None:
        database = self.rng.choice(self.places).database
        began = time()
        database.cut(is_up=is_up, is_down=not is_up)
        await asyncio.sleep(1.8 * LEASE_SECONDS)
        database.mend()
        self.outages.append((began, time()))
        self.done["cut to the server" if is_up else "cut from the server"] += 1

    async def claims(self) -> list[Claim]:
        connection = await asyncpg.connect(self.server.url)
        try:
            rows = await connection.fetch(
                "SELECT extract(epoch FROM at)::float8 AS at, bucket, holder, term FROM public.audit "
                "ORDER BY at, term"
            )
        finally:
            await connection.close()
        return [
            Claim(row["at"], row["bucket"], row["holder"].rpartition("-")[0], row["term"])
            for row in rows
        ]


def strangers(arrivals: list[Arrival], claims: list[Claim]) -> list[str]:
    """Say which writes arrived from somebody who was not the last to have claimed the bucket."""
    found = []
    for one in arrivals:
        bucket = bucket_of(one.deployment)
        before = [claim for claim in claims if claim.bucket == bucket and claim.at <= one.at]
        owner = before[-1] if before else None
        if owner is None or owner.member != one.member:
            found.append(f"{one} while {owner} held its bucket")
    return found


def doubled(arrivals: list[Arrival]) -> list[str]:
    """Say which writes were made again although they had arrived and nothing came in between."""
    last: dict[str, Arrival] = {}
    found = []
    for one in arrivals:
        before = last.get(one.deployment)
        is_same = before is not None and before.bounds == one.bounds and before.was_answered
        if is_same and before is not None and before.was_applied:
            found.append(f"{one} after {before}")
        last[one.deployment] = one
    return found


def unserved(
    kills: list[tuple[float, str]], claims: list[Claim], outages: list[tuple[float, float]]
) -> tuple[list[str], list[float]]:
    """Say which buckets of who was killed were claimed too late, and how long each of them took."""
    said, took = [], []
    for at, member in kills:
        for bucket in range(BUCKETS):
            mine = [one for one in claims if one.bucket == bucket]
            before = [one for one in mine if one.at <= at]
            after = [one for one in mine if one.at > at]
            if not before or before[-1].member != member or not after:
                continue
            seconds = after[0].at - at
            if any(began < after[0].at and at - LEASE_SECONDS < ended for began, ended in outages):
                continue  # nobody could have claimed it
            took.append(seconds)
            if seconds > 1.5 * LEASE_SECONDS + SLACK_SECONDS:
                said.append(
                    f"bucket {bucket} of {member} was claimed {seconds:.1f} s after its end"
                )
    return said, took


async def run(
    *,
    minutes: float,
    deployments: int,
    members: int,
    seed: int,
    logs: Path | None,
    calm: bool,
) -> dict[str, Any]:
    """Live through it; the numbers. Raises ``FoundError``."""
    with tempfile.TemporaryDirectory(prefix="trimtab-members-") as temporary:
        folder = Path(temporary)
        policies = folder / "policies"
        policies.mkdir()
        text = policy_text(up="{stabilization: 0s}", down="{stabilization: 30s}")
        (policies / "all.yaml").write_text(text, encoding="utf-8")
        server = PostgresqlProcess(folder)
        server.start()
        arrivals: list[Arrival] = []
        async with (
            swinging(Emulator, deployments, speed=SPEED, seed=seed) as emulator,
            contextlib.AsyncExitStack() as stack,
        ):
            stack.callback(server.remove)
            places = []
            for number in range(members):
                name = f"m{number}"
                plane = ControlPlaneProxy(name, emulator.base_url, arrivals)
                database = DatabaseProxy(server.port)
                await stack.enter_async_context(plane)
                await stack.enter_async_context(database)
                places.append(Place(name, policies, plane, database))
                places[-1].logs = logs
                stack.push_async_callback(places[-1].kill)
            trial = Trial(server, emulator, places, Random(seed), Random(seed), is_calm=calm)
            await trial.begin()
            await trial.live(minutes)
            claims = await trial.claims()
    late, took = unserved(trial.kills, claims, trial.outages)
    faults = [*strangers(arrivals, claims), *doubled(arrivals), *late]
    if faults:
        raise FoundError(f"seed {seed}, {len(faults)} faults:\n" + "\n".join(faults[:50]))
    return {
        "seed": seed,
        "members": members,
        "deployments": deployments,
        "minutes": minutes,
        "lease_seconds": LEASE_SECONDS,
        **trial.done,
        "writes": len(arrivals),
        "writes_by_member": dict(Counter(one.member for one in arrivals)),
        "claims": len(claims),
        "taken_over_after_seconds_max": round(max(took, default=0.0), 1),
        "taken_over_after_seconds_mean": round(sum(took) / max(1, len(took)), 1),
        "replicas_missing_share": round(sum(trial.missing) / max(1, len(trial.missing)), 4),
        "by_strangers": 0,
        "doubled": 0,
    }


def main() -> int:
    """Run; 0 if no write was a stranger's or doubled, and every bucket was served again in time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--deployments", type=int, default=300)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--logs", type=Path, help="a folder for what the daemons say")
    parser.add_argument(
        "--calm", action="store_true", help="do nothing to anybody: what the missing compare with"
    )
    wanted = parser.parse_args()
    try:
        numbers = asyncio.run(run(**vars(wanted)))
    except FoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(numbers)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
