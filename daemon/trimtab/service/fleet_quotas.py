"""What the accounts say of their accelerator quotas, how old that is, and what of it limits anybody.

A quota endpoint that cannot be read is no reason to stop: what it said last limits for an hour more, and after
that refusals teach what there is. Each account's quota limits its own deployments and nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.service.fleet import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.fleet_policy import Pool, Quota
    from trimtab.errors import TargetError
    from trimtab.targets.port import AccountQuotas

KEPT_SECONDS = 3600.0
"""For how long a reading limits that no later one confirms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotasStatus:
    """One account: the last reading that worked (``None``: none did yet), and why there is none since."""

    target: str
    told: AccountQuotas | None = None
    trouble: Trouble | None = None

    def remark(self, now: float) -> str | None:
        """Return what somebody should mend, or ``None`` when all is well or nobody was asked yet."""
        if self.trouble is not None:
            age = "were never read" if self.told is None else _age(now - self.told.at)
            return f"the quotas of {self.target} {age}: {self.trouble.sentence}"
        if self.told is not None and self.told.not_understood:
            named = ", ".join(self.told.not_understood)
            return (
                f"the quotas {named} of {self.target} are not understood and limit nothing; "
                f"state them in a fleet file"
            )
        return None


class FleetQuotas:
    """The readings of several accounts, by target."""

    def __init__(self, targets: Iterable[str]) -> None:
        self._statuses = {target: QuotasStatus(target=target) for target in targets}
        self._limits: frozenset[Quota] = frozenset()
        self._remembered: tuple[QuotaReading, ...] = ()

    @property
    def statuses(self) -> tuple[QuotasStatus, ...]:
        """How each account stands, in the order given."""
        return tuple(self._statuses.values())

    def status(self, target: str) -> QuotasStatus:
        """Return how one account stands."""
        return self._statuses[target]

    def take(self, target: str, told: AccountQuotas) -> None:
        """Take in what an account says now. Its quotas are its own, whatever the adapter knows of that."""
        own = tuple(_of_account(one, target) for one in told.readings)
        told = replace(told, readings=own)
        self._statuses[target] = QuotasStatus(target=target, told=told)

    def fail(self, target: str, error: TargetError, now: float) -> None:
        """Take in that an account could not be asked; what it said last stays."""
        before = self._statuses[target]
        since = now if before.trouble is None else before.trouble.since
        trouble = Trouble(since=since, kind=error.kind, sentence=str(error))
        self._statuses[target] = replace(before, trouble=trouble)

    def remember(self, readings: Iterable[QuotaReading]) -> None:
        """Take in what an earlier run knew: it limits, for its hour, until an account has answered."""
        self._remembered = tuple(readings)

    def in_force(self, now: float) -> tuple[QuotaReading, ...]:
        """Return the one reading of each pool that limits somebody at ``now``, by pool: the whole list.

        A pool that its account has not told, or not for an hour, is not in it: unknown, never nothing. What an
        earlier version remembered of all accounts together counts until one of them has answered.
        """
        told = [one.told for one in self._statuses.values() if one.told is not None]
        heard = {_account(target) for target, one in self._statuses.items() if one.told is not None}
        readings = [one for one in self._remembered if _is_waited_for(one.quota.pool, heard)]
        readings += [one for part in told for one in part.readings]
        alive = {one.quota.pool: one for one in readings if now - one.at < KEPT_SECONDS}
        return tuple(alive[pool] for pool in sorted(alive, key=str))

    def take_news(self, now: float) -> bool:
        """Whether another limit is in force than when this was last asked; what is in use is no limit."""
        before = self._limits
        self._limits = frozenset(one.quota for one in self.in_force(now))
        return self._limits != before


def _account(target: str) -> str:
    return target.rpartition("/")[2]


def _of_account(reading: QuotaReading, target: str) -> QuotaReading:
    pool = reading.quota.pool._replace(account=_account(target))
    return reading._replace(quota=replace(reading.quota, pool=pool))


def _is_waited_for(pool: Pool, heard: Collection[str]) -> bool:
    """Whether what an earlier run remembers of ``pool`` still counts: nobody has said anything newer of it."""
    return pool.account not in heard if pool.account is not None else not heard


def _age(seconds: float) -> str:
    is_kept = seconds < KEPT_SECONDS
    return (
        f"were last read {seconds / 60.0:.0f} min ago and "
        f"{'still limit' if is_kept else 'no longer limit'}"
    )
