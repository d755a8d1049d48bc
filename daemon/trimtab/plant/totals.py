"""What became of requests: in one step, and since the start; and the errors that some are answered with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503
INTERNAL_ERROR = 500


class StepRecord(NamedTuple):
    """What one step did; the metrics window is made of these."""

    ended_at: float
    seconds: float
    serving: int
    offered: float
    refused_429: float
    refused_503: float
    lost_500: float
    admitted: float
    finished: float
    wait_seconds: float
    """Mean wait for admission of those admitted."""
    batch: float
    """Sequences in service on one replica."""
    waiting: float
    prompt_tokens: float
    output_tokens: float


@dataclass(slots=True)
class Totals:
    """What became of the requests and what it cost, since the start.

    ``refused`` counts everything answered with an error: 429 (full), 503 (no replica serves) and
    500 (lost in a crash); ``refused_by_code`` tells them apart. Counts are fluid: not whole.
    """

    offered: float = 0.0
    finished: float = 0.0
    met_slo: float = 0.0
    refused_by_code: dict[int, float] = field(
        default_factory=lambda: {TOO_MANY_REQUESTS: 0.0, UNAVAILABLE: 0.0, INTERNAL_ERROR: 0.0}
    )
    billed_replica_seconds: float = 0.0

    def so_far(self, billed_replica_seconds: float) -> Totals:
        """A copy to keep, with what the replicas have cost until now."""
        return replace(
            self,
            refused_by_code=dict(self.refused_by_code),
            billed_replica_seconds=billed_replica_seconds,
        )

    @property
    def refused(self) -> float:
        """Requests answered with an error."""
        return sum(self.refused_by_code.values())

    @property
    def attainment(self) -> float | None:
        """Share of all answered requests that met the SLO, refused ones being misses.

        Requests still waiting or in service are not judged yet. ``None`` when none was answered.
        """
        answered = self.finished + self.refused
        return min(1.0, self.met_slo / answered) if answered > 0.0 else None
