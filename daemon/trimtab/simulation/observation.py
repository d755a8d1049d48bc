"""What a scaler in the simulation may know: the same for trimtab and for every peer, and never the future.

All rates and means are over the time since the observation before. What is measured is as old as the
metrics are (``measured_at``), and ``None`` where nothing was measured: missing is never zero. Counts of
replicas come from the control plane and are those of now.
"""

from __future__ import annotations

from typing import NamedTuple


class Measured(NamedTuple):
    """Load and latency of one deployment over one stretch of time, as its metrics tell them.

    ``requests_per_second`` counts everything offered, refused requests included, and
    ``prompt_tokens_per_second`` their prompts; ``output_tokens_per_second`` counts what was generated.
    ``in_flight`` is the mean number of requests waiting and in service, ``waiting`` of those waiting.
    ``kv_share`` is how full the KV caches are, 0 to 1. Times are means in seconds, and
    ``met_share`` is the share of the requests that ended, answered or refused, which met the SLO; ``None``
    where no request told one.
    """

    requests_per_second: float
    prompt_tokens_per_second: float
    output_tokens_per_second: float
    in_flight: float
    waiting: float
    kv_share: float
    ttft_seconds: float | None
    tpot_seconds: float | None
    met_share: float | None = None


class Observation(NamedTuple):
    """One look at one deployment at ``at`` (UTC seconds).

    ``asked`` replicas have been asked for; ``ready`` serve. ``measured`` is what the newest metrics
    said, true at ``measured_at`` (the end of the stretch they cover); both ``None`` in an outage.
    """

    at: float
    asked: int
    ready: int
    measured: Measured | None
    measured_at: float | None
