"""The metrics of a daemon that is one of several; without a series where it is alone."""

from __future__ import annotations

from trimtab.service.metric_names import Metric

BUCKETS = Metric(
    "trimtab_coordination_buckets",
    "Buckets of the fleet that this member holds, by where each is between being claimed and released.",
    ("stage",),
)
BUCKETS_ALL = Metric(
    "trimtab_coordination_buckets_all", "Into how many buckets the fleet's deployments fall."
)
BUCKETS_FREE = Metric(
    "trimtab_coordination_buckets_free",
    "Buckets that no member held when this one looked last: nobody decides for what is in them.",
)
MEMBERS = Metric(
    "trimtab_coordination_members", "Members that were alive when this one looked last."
)
IS_LEADING = Metric(
    "trimtab_coordination_leading",
    "1 if this member shares out quotas and money over all, else 0.",
)
RENEWAL_AGE = Metric(
    "trimtab_coordination_renewal_age_seconds",
    "Time since the last renewal of this member's leases that succeeded began; absent before the first.",
)
SERVICE_UP = Metric(
    "trimtab_coordination_service_up",
    "1 if the coordination service answered last, 0 if it did not.",
)
HAPPENED = Metric(
    "trimtab_coordination_events_total",
    "What happened to buckets and to the service since the start, by kind.",
    ("event",),
)
CALLS = Metric(
    "trimtab_coordination_calls_total",
    "Calls of the coordination service since the start.",
    ("call", "outcome"),
)
EXCHANGES = Metric(
    "trimtab_coordination_exchanges_total",
    "Exchanges of claims and grants with the other members since the start, while anything is shared.",
    ("outcome",),
)
