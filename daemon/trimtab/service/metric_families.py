"""Every metric there is, in the order of their names: what the reference page and the tests go by."""

from __future__ import annotations

from trimtab.service import (
    coordination_metric_names,
    fleet_metric_names,
    metric_names,
    rule_metric_names,
)
from trimtab.service.metric_names import Metric

_MODULES = (metric_names, fleet_metric_names, rule_metric_names, coordination_metric_names)

_HISTOGRAMS = frozenset(
    {metric_names.TICK_DURATION, metric_names.EVALUATION_LAG, metric_names.SOURCE_DURATION}
)


def all_metrics() -> tuple[Metric, ...]:
    """Return every metric that ``/metrics`` has, by name."""
    declared = (one for module in _MODULES for one in vars(module).values())
    return tuple(sorted({one for one in declared if isinstance(one, Metric)}))


def kind_of(metric: Metric) -> str:
    """Return ``counter``, ``histogram`` or ``gauge``, as the page has it under ``# TYPE``."""
    if metric in _HISTOGRAMS:
        return "histogram"
    return "counter" if metric.name.endswith("_total") else "gauge"
