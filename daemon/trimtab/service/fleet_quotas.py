"""What the accounts say of their accelerator quotas, how old that is, and what of it limits anybody.

A quota endpoint that cannot be read is no reason to stop: what it said last limits for an hour more, and after
that refusals teach what there is. Several accounts have a quota each; deployments of all of them share
the sum, which counts only while every account has said its part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.fleet_policy import Quota, QuotaSource
from trimtab.service.fleet import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.fleet_policy import Pool
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
        """Take in what an account says now."""
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

        A pool that any account has not told, or not for an hour, is not in it: unknown, never nothing.
        """
        if all(status.told is None for status in self._statuses.values()):
            return tuple(one for one in self._remembered if now - one.at < KEPT_SECONDS)
        parts = [
            {one.quota.pool: one for one in told.readings}
            for told in (status.told for status in self._statuses.values())
            if told is not None and now - told.at < KEPT_SECONDS
        ]
        if not parts or len(parts) < len(self._statuses):
            return ()
        pools = sorted(set.intersection(*(set(part) for part in parts)), key=str)
        return tuple(_sum(pool, [part[pool] for part in parts]) for pool in pools)

    def take_news(self, now: float) -> bool:
        """Whether another limit is in force than when this was last asked; what is in use is no limit."""
        before = self._limits
        self._limits = frozenset(one.quota for one in self.in_force(now))
        return self._limits != before


def _sum(pool: Pool, parts: list[QuotaReading]) -> QuotaReading:
    accelerators = sum(one.quota.accelerators for one in parts)
    return QuotaReading(
        Quota(pool, accelerators, QuotaSource.ACCOUNT),
        used=sum(one.used for one in parts),
        at=max(one.at for one in parts),
    )


def _age(seconds: float) -> str:
    is_kept = seconds < KEPT_SECONDS
    return (
        f"were last read {seconds / 60.0:.0f} min ago and "
        f"{'still limit' if is_kept else 'no longer limit'}"
    )
