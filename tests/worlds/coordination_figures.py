"""How much is asked of a coordination service, and how soon buckets are served again: ``docs/reliability.md``.

``python -m tests.worlds.coordination_figures`` prints the table. All in virtual time, with the settings'
defaults: leases of 15 s, calls of 1 to 20 ms each way, buckets taken over in up to a second. A killed member
is looked at from its death until the last of its buckets is served, one that leaves likewise from SIGTERM.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator

from tests.worlds.coordination_world import LEASE_SECONDS, CoordinationWorld, Member

MEMBERS = (1, 3, 10)
BUCKETS = (64, 256)
STEADY_SECONDS = 300.0
SEEDS = 3


def world_of(buckets: int, seed: int) -> CoordinationWorld:
    return CoordinationWorld(buckets=buckets, seed=seed)


def started(world: CoordinationWorld, members: int) -> list[Member]:
    made = [world.start() for _ in range(members)]
    for one in made:
        one.tenant.write = lambda _bucket, _name: None  # type: ignore[method-assign]  # figures of the service alone
    return made


def calls_a_second(members: int, buckets: int) -> Counter[str]:
    """Of all members together, once everything is shared out."""
    world = world_of(buckets, seed=1)
    found: Counter[str] = Counter()

    async def story() -> None:
        made = started(world, members)
        await asyncio.sleep(60.0)
        for sign in (-1, 1):
            for one in made:
                for call, count in one.steward.standing.calls.items():
                    found[call] += sign * count
            if sign < 0:
                await asyncio.sleep(STEADY_SECONDS)

    world.run(story)
    return Counter({call: count for call, count in found.items() if count})


def seconds_until_served(members: int, buckets: int, seed: int, *, is_killed: bool) -> float:
    """After one of the members was killed, or asked to leave."""
    world = world_of(buckets, seed)
    found = []

    async def story() -> None:
        made = started(world, members)
        await asyncio.sleep(60.0 + world.random.uniform(0.0, LEASE_SECONDS))
        (world.kill if is_killed else world.leave)(made[0])
        began = world.loop.time()
        while world.unserved() or made[0].is_alive:  # noqa: ASYNC110  it is virtual time
            await asyncio.sleep(0.01)
        found.append(world.loop.time() - began)

    world.run(story)
    assert world.audit.wrongs == []
    return found[0]


def lines() -> Iterator[str]:
    yield "members  buckets  calls/s  of these: looks  renewals  announcements  killed    leaves"
    for members in MEMBERS:
        for buckets in BUCKETS:
            calls = calls_a_second(members, buckets)
            per_second = {call: count / STEADY_SECONDS for call, count in calls.items()}
            after = ["", ""]
            if members > 1:
                after = [
                    f"{max(seconds_until_served(members, buckets, seed, is_killed=killed) for seed in range(SEEDS)):.1f} s"
                    for killed in (True, False)
                ]
            yield (
                f"{members:7}  {buckets:7}  {sum(per_second.values()):7.1f}  "
                f"{per_second['survey']:15.1f}  {per_second['renew']:8.2f}  "
                f"{per_second['announce']:13.2f}  {after[0]:>6}  {after[1]:>8}"
            )


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
