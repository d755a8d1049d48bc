"""The emulated control plane as simulations use it: the real one, with cheaper metrics and steps.

Folding a minute of histories into histograms is most of an emulator's time, and no policy reads a
histogram: most worlds are shown the same gauges computed directly. A plant that lives in steps of
10 s instead of 1 s draws the same arrivals, ten at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import fsum

from trimtab.emulator.account import Account
from trimtab.emulator.deployment import Deployment
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import FaultKind
from trimtab.plant import deployment as plant_deployment

WINDOW_SECONDS = 60.0


class GaugesOnly(Emulation):
    """An emulation whose metrics are those that policies read."""

    def _refresh(self, account: Account, now: float) -> None:
        lines: list[str] = []
        for one in account.deployments.values():
            is_shown = one.is_live and one.plant.replicas.serving > 0
            if not is_shown or self.faults.holds(FaultKind.METRICS_GAP, one.name, now):
                continue
            labels = f'deployment="{one.name}",deployment_id="{one.id}"'
            for name, value in gauges(one, now):
                lines.append(f"{name}{{{labels}}} {value:.10g}")
        account.metrics_text = "\n".join([*lines, ""])
        account.metrics_at = now

    def _refresh_watched(self, now: float) -> None:
        """Leave it until somebody asks."""


def gauges(deployment: Deployment, now: float) -> Iterator[tuple[str, float]]:
    """Return the request rate and the requests in flight per replica over the last minute."""
    plant = deployment.plant
    plant.advance(now)
    records = [record for record in plant._records if now - record.ended_at < WINDOW_SECONDS]
    covered = fsum(record.seconds for record in records)
    if covered <= 0.0:
        return
    offered = fsum(record.offered for record in records)
    yield "request_counter_total:sum_by_deployment", offered / covered
    batches = [record.batch for record in records if record.serving]
    if batches:
        busy = fsum(batches) / len(batches)
        yield "requests_coordinator_concurrent_count:avg_by_deployment", busy


@contextmanager
def plant_steps_of(seconds: float) -> Iterator[None]:
    """Let plants that are made and advanced inside live in steps of ``seconds``."""
    before = plant_deployment.STEP_SECONDS
    plant_deployment.STEP_SECONDS = seconds
    try:
        yield
    finally:
        plant_deployment.STEP_SECONDS = before
