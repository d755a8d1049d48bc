"""What the account said of its quotas, told to an engine whose deployments hold something else.

An account counts what is in use in all. What is used beside the deployments is as recorded; what they use
themselves is what they hold here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import pools_around
from trimtab.core.pipeline import asked_replicas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import Pool


def as_told_here(
    readings: Iterable[QuotaReading],
    real: Mapping[str, Deployment],
    shown: Mapping[str, Deployment],
) -> Iterator[QuotaReading]:
    """Yield the readings as they would have been with the deployments ``shown`` in place of the ``real`` ones."""
    for one in readings:
        pool = one.quota.pool
        more = sum(
            _held(shown.get(name, deployment), pool) - _held(deployment, pool)
            for name, deployment in real.items()
        )
        yield one._replace(used=max(0.0, one.used + more))


def _held(deployment: Deployment, pool: Pool) -> int:
    if pool not in pools_around(deployment):
        return 0
    return asked_replicas(deployment) * (deployment.shape.accelerators_per_replica or 0)
