"""The port behind which every target stands: read a fleet, read one deployment, carry out an order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.decision import Order, WriteStatus
    from trimtab.core.deployment import Deployment
    from trimtab.errors import ErrorKind, TargetError


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """How a write ended, the deployment as read back afterwards (if it could be), and a sentence.

    ``quota`` is what the refusal said of the quota that it was for, if it was for one that it named.
    """

    status: WriteStatus
    sentence: str
    deployment: Deployment | None = None
    error_kind: ErrorKind | None = None
    retry_after_seconds: float | None = None
    quota: QuotaReading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountQuotas:
    """The accelerator quotas that a target's account has, as told at ``at`` (UTC seconds).

    ``readings`` has at most one for each pool. ``not_understood`` are the names of quotas that may be of
    accelerators and that nobody could tell the pool of: they limit nothing here.
    """

    at: float
    readings: tuple[QuotaReading, ...] = ()
    not_understood: tuple[str, ...] = ()


class Target(Protocol):
    """An adapter that reads deployments and writes replica counts.

    Reading raises ``TargetError``; writing never does: how a write ended is a value, because
    "perhaps" is a possible answer.
    """

    @property
    def name(self) -> str:
        """What this target is called in logs and metrics (for Fireworks: ``accounts/<id>``)."""
        ...

    def owns(self, deployment: str) -> bool:
        """Whether the deployment of that full name is reached through this target."""
        ...

    async def read_fleet(self) -> Mapping[str, Deployment]:
        """Read every deployment, by full name. Raises ``TargetError``."""
        ...

    async def read(self, deployment: str) -> Deployment | None:
        """Read one deployment; ``None`` when it no longer exists. Raises ``TargetError``."""
        ...

    async def write(self, order: Order) -> WriteResult:
        """Carry out one order with absolute numbers and read back what became of it."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@runtime_checkable
class TellsQuotas(Protocol):
    """A target that can also say how many accelerators there are. Not every control plane does."""

    @property
    def shape_trouble(self) -> TargetError | None:
        """Why the accelerators of some deployment are not known; ``None``: nothing stands in the way."""
        ...

    async def read_quotas(self) -> AccountQuotas:
        """Ask for the account's quotas. Raises ``TargetError``."""
        ...


@runtime_checkable
class TellsChanges(Protocol):
    """A target that follows its control plane: what changed need not be waited for until the next reading."""

    async def changed(self) -> None:
        """Return once something differs from what ``read_fleet`` told last, at once if it does already."""
        ...


@runtime_checkable
class TellsRemarks(Protocol):
    """A target that sees only a part of what it should, and can say so while it tells of the rest."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What somebody should mend, in sentences that name the target."""
        ...
