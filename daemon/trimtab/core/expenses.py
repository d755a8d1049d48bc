"""What all deployments cost at this moment and have cost, and how much more they may: seen, or as it was known last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.last_ran import NOTHING_UNSEEN, ran_since, unseen
from trimtab.core.running import Running, rate_of
from trimtab.core.spend import NO_OUTLOOK, spend_outlook, spent_until

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trimtab.core.allocation.book import Book
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_memory import FleetMemory
    from trimtab.core.fleet_policy import FleetPolicy

LOOK_SECONDS = 60.0
"""What runs is added up this often at least, so that a time in which nobody looked can be told."""

ASSUMED_SECONDS = 300.0
"""After so long without a look, the money for that time is assumed, not seen."""


class Expenses:
    """Counts what serves, adds up what that costs, and says what the limits leave.

    ``outlook`` is that of the last look. Accounts in ``unread`` were not read since the start: they count with what is seen
    of them or was known last, whichever is more.
    """

    def __init__(self) -> None:
        self.outlook = NO_OUTLOOK
        self.unread: tuple[str, ...] = ()
        self._running = Running()
        self._unseen = NOTHING_UNSEEN

    @property
    def unseen_held(self) -> Mapping[tuple[str, str], int]:
        """How many accelerators accounts in ``unread`` are taken to hold beyond what is seen, by account and type."""
        return self._unseen.held

    def count(self, name: str, deployment: Deployment | None) -> None:
        """Count what ``name`` has serving, in place of what it had; ``None``: it is no more."""
        self._running.count(name, deployment)

    def look(
        self,
        memory: FleetMemory,
        now: float,
        policy: FleetPolicy,
        held: Mapping[tuple[str, str], int],
        unread: Collection[str],
    ) -> FleetMemory:
        """Return ``memory`` with what is known now of what runs and was spent; ``held`` as in ``Ran``."""
        self.unread = tuple(sorted(unread))
        serving = self._running.by_account
        ran = ran_since(memory.ran or (), self.unread, serving, held)
        self._unseen = unseen(ran, self.unread, serving, held)
        if ran != memory.ran:
            memory = memory._replace(ran=ran)
        return self._spend(memory, now, policy)

    def _spend(self, memory: FleetMemory, now: float, policy: FleetPolicy) -> FleetMemory:
        """Add up what has run, when its rate changes and from time to time."""
        spending, serving = memory.spending, self._running.by_account
        assumed_rate = 0.0
        if more := self._unseen.serving:
            serving = {key: serving.get(key, 0) + more.get(key, 0) for key in {*serving, *more}}
            assumed_rate, _ = rate_of(more, policy)
        rate, unpriced = rate_of(serving, policy)
        known = spending._replace(
            usd_an_hour=rate, unpriced_accelerators=unpriced, assumed_usd_an_hour=assumed_rate
        )
        is_soon = spending.at is not None and 0.0 <= now - spending.at < LOOK_SECONDS
        if known == spending and is_soon:
            return memory
        is_assumed = spending.at is not None and now - spending.at > ASSUMED_SECONDS
        spent = spent_until(spending, now, policy.timezone, is_assumed=is_assumed)
        return memory._replace(
            spending=spent._replace(
                usd_an_hour=rate, unpriced_accelerators=unpriced, assumed_usd_an_hour=assumed_rate
            )
        )

    def look_ahead(self, memory: FleetMemory, policy: FleetPolicy, book: Book) -> None:
        """Work out what the limits leave for all whose claims are in ``book``."""
        unseen_usd, _ = rate_of(self._unseen.held, policy)
        self.outlook = outlook = spend_outlook(
            policy.spend_limits,
            memory.spending,
            policy.timezone,
            protected_usd_an_hour=_protected_usd_an_hour(policy),
            rate_usd_an_hour=book.usd_an_hour() + unseen_usd if policy.spend_limits else 0.0,
        )
        room = outlook.room
        if room is None or unseen_usd <= 0.0:
            return
        accounts = ", ".join(sorted({account for account, _ in self._unseen.held}))
        less = f"less ${unseen_usd:,.2f} an hour of {accounts} as known last (not read since the start),"
        self.outlook = outlook._replace(
            room=room._replace(
                keep_usd_an_hour=max(0.0, room.keep_usd_an_hour - unseen_usd),
                grow_usd_an_hour=max(0.0, room.grow_usd_an_hour - unseen_usd),
                limit=f"{room.limit}, {less}",
                grow_limit=f"{room.grow_limit}, {less}",
            )
        )


def _protected_usd_an_hour(policy: FleetPolicy) -> float:
    return sum(
        accelerators * (policy.usd_an_hour(kind) or 0.0)
        for team in policy.teams
        if team.is_protected
        for kind, accelerators in team.guaranteed.items()
    )
