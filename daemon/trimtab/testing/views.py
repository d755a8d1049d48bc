"""Views as a strategy may meet them, the ordinary ones and those that nobody thinks of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.proposals import View
from trimtab.core.signals import Freshness, Per, Reading, SignalSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trimtab.core.strategies.interface import Strategy

NOW = 1_774_746_000.0
"""2026-03-29T01:00Z: the moment at which clocks in Berlin go from 02:00 to 03:00."""

NAME = "accounts/acme/deployments/chat"

VALUES = (0.0, 5e-324, 1e-9, 0.5, 1.0, 10.0, 999.999, 1e6, 1e15, 1e308)
"""Loads are finite and not negative; that is all that is promised about them."""

COUNTS = ((0, 0), (1, 0), (1, 1), (3, 3), (3, 1), (3, 5), (1000, 999), (1_000_000, 0))
"""Replicas asked for, and those that serve: fewer while they start, more while they stop."""

TIMES = (0.0, NOW - 1.0, NOW, NOW + 0.5, 1_709_164_800.0, 4_102_444_800.0)
"""Among them the epoch, a change of clocks, a leap day, and the year 2100."""


def a_view(
    signals: Mapping[str, float | None] | None = None,
    *,
    current: int = 3,
    ready: int | None = None,
    now: float = NOW,
    per: Per = Per.DEPLOYMENT,
    lead_time_seconds: float = 300.0,
    covers: int | None = None,
) -> View:
    """An ordinary view: the values of some signals (``None``: missing), and the replicas.

    ``covers`` is how many replicas an average covers, ``ready`` how many serve (all, if left out).
    """
    serving = current if ready is None else ready
    deployment = Deployment(
        name=NAME,
        min_replicas=0,
        max_replicas=max(10, current),
        desired_replicas=current,
        replica_count=max(current, serving),
        pipeline=Pipeline(pending=max(0, current - serving), ready=serving),
        shape=Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
        created_at=now - 86_400.0,
    )
    return View(
        now=now,
        deployment=deployment,
        current=current,
        readings={
            name: _reading(name, value, per, covers) for name, value in (signals or {}).items()
        },
        lead_time_seconds=lead_time_seconds,
        fleet={NAME: deployment},
        bounds=Bounds(Bound(0, "test"), Bound(max(10, current), "test")),
    )


def _reading(name: str, value: float | None, per: Per, covers: int | None) -> Reading:
    spec = SignalSpec(name=name, source="test", query=name, max_age_seconds=60.0, per=per)
    if value is None:
        return Reading(spec=spec, freshness=Freshness.MISSING)
    return Reading(
        spec=spec, freshness=Freshness.USABLE, value=value, age_seconds=0.0, replicas=covers
    )


def odd_views(strategy: Strategy) -> Iterator[View]:
    """Views over the strategy's own signals: every extreme at least once, and some together."""
    names = strategy.signals
    for per in Per:
        for current, ready in COUNTS:
            for value in VALUES:
                load = dict.fromkeys(names, value)
                yield a_view(load, current=current, ready=ready, per=per)
                yield a_view(load, current=current, ready=ready, per=per, covers=max(0, ready - 1))
    for now in TIMES:
        for lead_time_seconds in (0.0, 7200.0):
            load = dict.fromkeys(names, 10.0)
            yield a_view(load, now=now, lead_time_seconds=lead_time_seconds)
    ordinary = a_view(dict.fromkeys(names, 10.0))
    for state in State:
        yield ordinary._replace(deployment=replace(ordinary.deployment, state=state))
    yield ordinary._replace(deployment=replace(ordinary.deployment, shape=Shape()))
    yield ordinary._replace(fleet={}, bounds=None)
    yield from views_without_data(strategy)


def views_without_data(strategy: Strategy) -> Iterator[View]:
    """Views in which at least one of the strategy's signals cannot be used."""
    names = strategy.signals
    for current, ready in COUNTS:
        for lacking in (names, *((name,) for name in names)):
            for per in Per:
                load = {name: None if name in lacking else 10.0 for name in names}
                view = a_view(load, current=current, ready=ready, per=per)
                yield view
                stale = {
                    name: one._replace(freshness=Freshness.STALE, age_seconds=3600.0)
                    if name in lacking
                    else one
                    for name, one in view.readings.items()
                }
                yield view._replace(readings=stale)
