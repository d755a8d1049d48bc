"""The ports of coordination: what a process is told of its buckets, and what a service must offer.

Three parties. A **service** (PostgreSQL, Kubernetes) stands behind ``Leases`` and ``Board``, which say
nothing of strategy. The **steward** (``coordination.steward``) decides which buckets this member should
hold, renews them, and knows by the local monotonic clock how long it may rely on each. The **tenant**, the
daemon, is told what it holds, and is asked to let go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trimtab.core.proposals import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """A bucket held in a term. Terms of a bucket only grow, and no two members ever hold the same one."""

    bucket: int
    term: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen:
    """One bucket as the service showed it.

    ``term`` is that of the last holder, 0 where nobody ever held it; ``version`` is what the service needs
    to claim exactly what was seen. ``is_free``: released, never held, or unchanged for the lease's time by this
    process's monotonic clock; no wall clock, the service's included, frees one (ADR 0013).
    """

    bucket: int
    holder: str | None
    term: int
    is_free: bool
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one look at the service showed: every bucket, and who is alive with what it says of itself."""

    leases: Mapping[int, LeaseSeen]
    members: Mapping[str, Mapping[str, JsonValue]]


class Leases(Protocol):
    """Buckets with one holder each, on a service that many processes reach.

    Every method raises ``CoordinationError`` when the service does not answer as it should; what a call
    that failed has done is then unknown, and the next survey shows it. None retries by itself, and each
    ends within ``lease_seconds`` / 3.
    """

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        ...

    @property
    def lease_seconds(self) -> float:
        """How long a lease is good for after it was claimed or renewed, by the service's rule."""
        ...

    async def open(self) -> None:
        """Connect, and make what is missing (tables, leases). Safe to call again after a failure."""
        ...

    async def survey(self) -> Survey:
        """Look at every bucket and every member."""
        ...

    async def announce(self, member: str, says: Mapping[str, JsonValue]) -> None:
        """Say that ``member`` is alive, for the next ``lease_seconds``, and what it says of itself."""
        ...

    async def claim(self, member: str, seen: LeaseSeen) -> Tenure | None:
        """Take a bucket that was seen free, in the next term; ``None`` when another was faster."""
        ...

    async def renew(self, member: str, held: Collection[Tenure]) -> frozenset[Tenure]:
        """Renew all of ``held``; return those that were still held and are good for another lease time.

        Only what is returned was renewed. What is not returned and raised nothing is another's.
        """
        ...

    async def release(self, member: str, held: Collection[Tenure]) -> None:
        """Let go at once, so that others need not wait. What is another's by now is left alone."""
        ...

    async def leave(self, member: str) -> None:
        """Say that ``member`` is no more."""
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What a member left for others, the term of the bucket it was posted under, and its age.

    ``age_seconds`` is by the service's rule, as for leases, and never less than what is true.
    """

    member: str
    term: int
    age_seconds: float
    body: Mapping[str, JsonValue] = field(default_factory=dict)


class Board(Protocol):
    """Small values that members leave for one another. Bounded: 256 kB a posting.

    Raises ``CoordinationError`` as ``Leases`` does.
    """

    async def post(self, topic: str, member: str, term: int, body: Mapping[str, JsonValue]) -> None:
        """Replace what ``member`` has under ``topic``; one of a lower term never replaces a higher."""
        ...

    async def read(self, topic: str) -> Mapping[str, Posting]:
        """Return what every member has under ``topic``, by member, also of those that are gone."""
        ...


class Tenant(Protocol):
    """The daemon, as the steward sees it."""

    async def take_over(self, tenure: Tenure) -> None:
        """Begin to decide for a bucket: recollect what its last owner knew, then let it be due.

        May take as long as it needs: the lease is renewed meanwhile. It is served, and ``Ownership`` says so,
        in the same turn of the loop in which this returns. Raises what the journal raises; the bucket is
        then released and somebody tries again.
        """
        ...

    async def hand_over(self, tenure: Tenure) -> None:
        """Stop deciding for a bucket at once, let writes in flight end, make durable what is known.

        The lease is renewed meanwhile and released when this returns.
        """
        ...

    def lose(self, tenure: Tenure) -> None:
        """Stop at once: the bucket may be another's. Nothing of it may be sent from now on."""
        ...


class Ownership(Protocol):
    """The one place where anything asks whose a deployment is. Never blocks, costs no I/O."""

    @property
    def is_shared(self) -> bool:
        """Whether there may be other members at all."""
        ...

    def decides_for(self, deployment: str) -> bool:
        """Whether this process evaluates ``deployment`` now."""
        ...

    def term_of(self, deployment: str) -> int | None:
        """Return the term in which this process may write to ``deployment`` at this instant, or ``None``.

        By the local monotonic clock since the last renewal that succeeded *began*, less a margin; asked
        anew right before each write.
        """
        ...

    def seconds_left(self, deployment: str) -> float:
        """How long that will stay so without a renewal; 0 where nothing may be written.

        A write must have ended by then.
        """
        ...


class OwnsAll:
    """The ownership of a process that is alone: everything, in term 0, for ever."""

    is_shared = False

    def decides_for(self, deployment: str) -> bool:  # noqa: ARG002  the port's signature
        """Return true."""
        return True

    def term_of(self, deployment: str) -> int | None:  # noqa: ARG002  the port's signature
        """Return 0."""
        return 0

    def seconds_left(self, deployment: str) -> float:  # noqa: ARG002  the port's signature
        """Return infinity."""
        return float("inf")
