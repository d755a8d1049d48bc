"""What this member holds, and until when it may rely on it: the answers of ``Ownership``.

**The theorem.** A member relies on a lease until ``begun + lease - margin`` on its own monotonic clock, where
``begun`` was read before the successful claim or renewal was sent. Another takes the lease only after it saw
it unchanged for the lease's time on *its* monotonic clock, counted from after it had seen that renewal. If no
monotonic clock runs faster or slower than true time by more than ``DRIFT_MAX`` (r), the first ends at most
``(lease - margin) / (1 - r)`` after a moment from which the second takes at least ``lease / (1 + r)``; with
``margin = lease * 2r / (1 + r)`` the first is never later. No wall clock has a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.coordination.buckets import bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.clock import Clock
    from trimtab.coordination.port import Tenure

DRIFT_MAX = 0.05
"""By how much a monotonic clock may be faster or slower than true time: 5 %.

Quartz is within 0.01 %. What makes it large is the correction of time: ``ntpd`` and the kernel move a clock by
0.05 % at most, chrony by 8.3 % if its ``maxslewrate`` is left as it is (one such machine beside others that
are right is covered, as only the sum over two machines counts, which may be 10 %)."""

SENDING_SECONDS = 0.25
"""How long what was sent within the time allowed may still be on its way to where it takes effect."""


def margin_seconds(lease_seconds: float) -> float:
    """Return by how much sooner a holder stops than others may begin."""
    return lease_seconds * 2.0 * DRIFT_MAX / (1.0 + DRIFT_MAX) + SENDING_SECONDS


class Stage(StrEnum):
    """Where a bucket is between being claimed and being released. Closed: it is a metric label."""

    TAKING_OVER = "taking_over"
    SERVING = "serving"
    HANDING_OVER = "handing_over"


@dataclass(slots=True, kw_only=True)
class Holding:
    """A bucket that the service says is ours; ``relied_until`` is monotonic, in seconds."""

    tenure: Tenure
    relied_until: float
    stage: Stage = Stage.TAKING_OVER


class Holdings:
    """The buckets held. Everything is judged by the clock at the moment of the question.

    So a process that was stopped or whose machine slept finds at the first question afterwards that its
    time is over, whether or not a timer has told it yet.
    """

    is_shared = True

    def __init__(self, clock: Clock, *, buckets: int) -> None:
        self._clock = clock
        self._buckets = buckets
        self._held: dict[int, Holding] = {}

    # -- Ownership -------------------------------------------------------------------------------

    def decides_for(self, deployment: str) -> bool:
        """Whether its bucket was taken over, is not being handed over, and can be relied on."""
        holding = self._held.get(bucket_of(deployment, self._buckets))
        return holding is not None and self.is_served(holding)

    def term_of(self, deployment: str) -> int | None:
        """Return the term in which it may be written to now.

        That is from when its bucket was taken over until it was handed over: what is on its way then may
        still be sent and end.
        """
        holding = self._taken_over(deployment)
        return holding.tenure.term if holding is not None and self._is_good(holding) else None

    def seconds_left(self, deployment: str) -> float:
        """Return for how long without another renewal."""
        holding = self._taken_over(deployment)
        return 0.0 if holding is None else max(0.0, holding.relied_until - self._clock.monotonic())

    def _taken_over(self, deployment: str) -> Holding | None:
        holding = self._held.get(bucket_of(deployment, self._buckets))
        return None if holding is None or holding.stage is Stage.TAKING_OVER else holding

    def _is_good(self, holding: Holding) -> bool:
        return self._clock.monotonic() < holding.relied_until

    # -- what the steward does with them ---------------------------------------------------------

    def __iter__(self) -> Iterator[Holding]:
        return iter(tuple(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, tenure: Tenure) -> bool:
        holding = self._held.get(tenure.bucket)
        return holding is not None and holding.tenure == tenure

    def of(self, bucket: int) -> Holding | None:
        """Return what is held of ``bucket``."""
        return self._held.get(bucket)

    def is_served(self, holding: Holding) -> bool:
        """Whether it was taken over, is not being handed over, and can be relied on."""
        return holding.stage is Stage.SERVING and self._is_good(holding)

    def hold(self, tenure: Tenure, relied_until: float) -> None:
        """Begin with a bucket that was claimed."""
        self._held[tenure.bucket] = Holding(tenure=tenure, relied_until=relied_until)

    def turn(self, tenure: Tenure, stage: Stage) -> None:
        """Move a bucket on, if it is still held."""
        if tenure in self:
            self._held[tenure.bucket].stage = stage

    def extend(self, tenure: Tenure, relied_until: float) -> bool:
        """Rely on a bucket for longer; false when its time was over, which nothing brings back."""
        holding = self._held.get(tenure.bucket)
        if holding is None or holding.tenure != tenure or not self._is_good(holding):
            return False
        holding.relied_until = max(holding.relied_until, relied_until)
        return True

    def drop(self, tenure: Tenure) -> Holding | None:
        """Stop relying on a bucket, at once. Returns what was held, ``None`` if it was not."""
        return self._held.pop(tenure.bucket) if tenure in self else None

    def count(self, stage: Stage) -> int:
        """Return how many are at ``stage`` and can be relied on."""
        return sum(one.stage is stage and self._is_good(one) for one in self._held.values())
