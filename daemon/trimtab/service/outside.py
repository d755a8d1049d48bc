"""The world outside, as far as the daemon asks it: control planes and sources behind circuits, fleet, quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.circuits import guarded
from trimtab.service.fleet import Fleet
from trimtab.service.quota_reader import QuotaReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from trimtab.clock import Clock
    from trimtab.service.audience import Audience
    from trimtab.service.fleet_quotas import QuotasStatus
    from trimtab.service.timing import Timing
    from trimtab.sources.port import Source
    from trimtab.targets.port import Target


class Outside:
    """``targets`` and ``sources``, each behind its circuit, and what was last read of the fleet and its quotas.

    Quotas are read while ``wants_quotas`` says so, and ``on_quotas`` hears how an account stands after each.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        timing: Timing,
        targets: Sequence[Target],
        sources: Sequence[Source],
        *,
        audience: Audience,
        wants_quotas: Callable[[], bool],
        on_quotas: Callable[[QuotasStatus], None],
    ) -> None:
        quota_reader = QuotaReader(
            clock,
            random,
            targets,
            interval_seconds=timing.quota_refresh_interval_seconds,
            is_wanted=wants_quotas,
            on_reading=on_quotas,
        )
        audience.admit(quota_reader)
        self.targets, self.sources = guarded(
            targets, sources, clock, random, on_change=audience.circuit_changed
        )
        self.quotas = quota_reader.quotas
        self.quota_tasks = quota_reader.tasks(self.targets)
        self.fleet = Fleet(clock, self.targets)
