"""How much is left: of each pool, of what a team is guaranteed and may borrow, of the money an hour.

The one part of an allocation that changes in place. It lives inside a single call of ``allocate``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import NO_TEAM, pools_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.allocation.values import SpendRoom, Terms
    from trimtab.core.fleet_policy import Pool, Team

Where = tuple[str, str, str, str]
"""Accelerator type, region, account and team: claims of one such place find their accelerators in one room."""

COUNT_MAX = 2**53
"""Where nothing is limited."""

_TINY_USD = 1e-9
"""Money is added up in another order each time: so much is no difference."""


class PoolRoom:
    """One pool with a quota, in accelerators.

    ``free`` is what nobody keeps, ``set_aside`` how much of that is guaranteed to teams that never lend it.
    ``free_now`` is what nobody holds at this moment.
    """

    __slots__ = ("free", "free_now", "pool", "quota", "set_aside")

    def __init__(self, pool: Pool, quota: int, elsewhere: int) -> None:
        self.pool = pool
        self.quota = quota
        self.free = self.free_now = quota - elsewhere
        self.set_aside = 0


class TeamRoom:
    """What one team keeps of one accelerator type, and what it may."""

    __slots__ = ("guaranteed", "most", "never_lent", "used", "wholes")

    def __init__(self, team: Team, accelerator_type: str) -> None:
        self.guaranteed = team.guaranteed.get(accelerator_type, 0)
        borrowed_max = team.borrow_max.get(accelerator_type)
        self.most = COUNT_MAX if borrowed_max is None else self.guaranteed + borrowed_max
        lent_max = team.lend_max.get(accelerator_type, self.guaranteed)
        self.never_lent = max(0, self.guaranteed - lent_max)
        self.used = 0
        self.wholes: list[PoolRoom] = []

    @property
    def set_aside(self) -> int:
        """Accelerators that are there for this team alone and that it does not use yet."""
        return max(0, self.never_lent - self.used)

    def use(self, accelerators: int) -> None:
        """Count so many more as used by the team."""
        before = self.set_aside
        self.used += accelerators
        change = self.set_aside - before
        if change:
            for pool in self.wholes:
                pool.set_aside += change


class Room:
    """Where the claims of one team on one type in one region of one account find their accelerators.

    Replicas of ``full_for`` accelerators or more have found none.
    """

    __slots__ = ("at_first", "full_for", "held", "pools", "team")

    def __init__(self, pools: tuple[PoolRoom, ...], team: TeamRoom) -> None:
        self.pools = pools
        self.team = team
        self.full_for = COUNT_MAX
        self.at_first = self.held = 0

    def begin(self) -> None:
        """Count what was added up in ``at_first`` (to be kept) and ``held``."""
        self.keep(self.at_first)
        self.hold(self.held)

    def keep(self, accelerators: int) -> None:
        """Count so many more as kept; fewer, where it is negative."""
        team = self.team
        if team.never_lent:
            team.use(accelerators)
        else:
            team.used += accelerators
        for pool in self.pools:
            pool.free -= accelerators

    def most(self, accelerators: int) -> int:
        """Return how many replicas of so many accelerators still find room; 0 at least."""
        team = self.team
        least = team.most - team.used
        for pool in self.pools:
            free = pool.free
            if pool.set_aside:
                free = min(free, max(0, free - pool.set_aside) + team.set_aside)
            if free < least:  # noqa: PLR1730  the innermost loop: a call of min takes twice as long
                least = free
        return least // accelerators if least >= accelerators else 0

    def too_small(self, accelerators: int) -> tuple[Reason, Pool | None]:
        """Say what keeps one more replica from finding room."""
        team = self.team
        for pool in self.pools:
            if pool.free < accelerators:
                return Reason.QUOTA, pool.pool
        if team.most - team.used < accelerators:
            return Reason.BORROWING, None
        kept = [pool.pool for pool in self.pools if pool.set_aside]
        return Reason.RESERVED, kept[0] if kept else None

    def most_now(self, accelerators: int) -> int:
        """Return how many such replicas could be asked for at this moment."""
        least = COUNT_MAX
        for pool in self.pools:
            if pool.free_now < least:  # noqa: PLR1730  as above
                least = pool.free_now
        return least // accelerators if least >= accelerators else 0

    def hold(self, accelerators: int) -> None:
        """Count so many more as held at this moment."""
        for pool in self.pools:
            pool.free_now -= accelerators


class Money:
    """The running rate in US dollars an hour, and how far it may go. Replicas without a price cost none here.

    ``rate`` is that of what is kept, ``rate_now`` of what is held at this moment.
    """

    __slots__ = ("grow", "keep", "rate", "rate_now")

    def __init__(self, room: SpendRoom | None) -> None:
        self.rate = self.rate_now = 0.0
        self.keep = None if room is None else room.keep_usd_an_hour
        self.grow = None if room is None else room.grow_usd_an_hour

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.grow is not None

    @property
    def is_over(self) -> bool:
        """Whether what runs costs more than it may."""
        return self.keep is not None and self.rate > self.keep + _TINY_USD

    def most(self, usd_an_hour: float | None) -> int:
        """Return how many more replicas at this price may be kept. One without a price: none."""
        return self._most(usd_an_hour, self.rate)

    def most_now(self, usd_an_hour: float | None) -> int:
        """Return how many more replicas at this price could be asked for at this moment."""
        return self._most(usd_an_hour, self.rate_now)

    def _most(self, usd_an_hour: float | None, rate: float) -> int:
        if self.grow is None:
            return COUNT_MAX
        if usd_an_hour is None:
            return 0
        if usd_an_hour <= 0.0:
            return COUNT_MAX
        return max(0, int((self.grow - rate + _TINY_USD) / usd_an_hour))


class Rooms:
    """Every room of one allocation, made as the first claim on it is met."""

    __slots__ = ("_by_key", "_pools", "_teams", "money")

    def __init__(self, terms: Terms) -> None:
        self._pools = {
            pool: PoolRoom(pool, quota.accelerators, terms.elsewhere.get(pool, 0))
            for pool, quota in terms.quotas.items()
        }
        self._teams: dict[tuple[str, str], TeamRoom] = {}
        self._by_key: dict[Where, Room] = {}
        self.money = Money(terms.spend)
        for team in terms.teams:  # what is set aside is so before the team has a deployment
            for accelerator_type in team.guaranteed:
                self._team(team, accelerator_type)

    @property
    def pools(self) -> Iterable[PoolRoom]:
        """Every pool with a quota."""
        return self._pools.values()

    def _begin(self) -> None:
        """Set aside what teams do not lend, and count what was added up in each room."""
        accounts: dict[tuple[str, str], set[str]] = {}
        for kind, _, account, name in self._by_key:
            accounts.setdefault((name, kind), set()).add(account)
        for (name, kind), team in self._teams.items():
            if team.never_lent:
                self._set_aside(team, kind, accounts.get((name, kind)))
        for room in self._by_key.values():
            room.begin()

    def _set_aside(self, team: TeamRoom, accelerator_type: str, accounts: set[str] | None) -> None:
        """Set aside over all, and in the accounts in which the team has somebody: in each, while it has nobody."""
        for pool, room in self._pools.items():
            if pool.accelerator_type != accelerator_type or pool.region is not None:
                continue
            if pool.account is None or accounts is None or pool.account in accounts:
                team.wholes.append(room)
                room.set_aside += team.set_aside

    def fill(
        self, kept: Mapping[Where, int], held: Mapping[Where, int], teams: Mapping[str, Team]
    ) -> Mapping[Where, Room]:
        """Begin with what is ``kept`` and ``held`` at each place, in accelerators, and return the rooms of them."""
        for where, accelerators in kept.items():
            room = self._of(where, teams.get(where[3], NO_TEAM))
            room.at_first, room.held = accelerators, held[where]
        self._begin()
        return self._by_key

    def _of(self, key: Where, team: Team) -> Room:
        accelerator_type, region, account, _ = key
        room = self._by_key.get(key)
        if room is None:
            pools = pools_of(accelerator_type, region, account)
            room = self._by_key[key] = Room(
                tuple(self._pools[pool] for pool in pools if pool in self._pools),
                self._team(team, accelerator_type),
            )
        return room

    def _team(self, team: Team, accelerator_type: str) -> TeamRoom:
        room = self._teams.get((team.name, accelerator_type))
        if room is None:
            room = self._teams[team.name, accelerator_type] = TeamRoom(team, accelerator_type)
        return room
