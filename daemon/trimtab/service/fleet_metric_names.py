"""The metrics of what all deployments share, as ``service/metric_names.py`` has those of each."""

from __future__ import annotations

from trimtab.service.metric_names import Metric

REGION_LABELS = ("accelerator_type", "region")
POOL_LABELS = (*REGION_LABELS, "account")
"""What is counted together; an empty region or account is all of them."""

# -- what is shared, while a fleet file is in force ------------------------------------------------
QUOTA = Metric(
    "trimtab_fleet_quota_accelerators",
    "Accelerators of which no more are asked for: the smallest of what fleet files, accounts and refusals say, "
    "and which of them says so.",
    (*POOL_LABELS, "source"),
)
HELD = Metric(
    "trimtab_fleet_held_accelerators",
    "Accelerators that all deployments hold: asked for, or in a write under way.",
    POOL_LABELS,
)
ELSEWHERE = Metric(
    "trimtab_fleet_elsewhere_accelerators",
    "Accelerators of a quota that are in use outside of all deployments, as far as the account tells.",
    POOL_LABELS,
)

# -- money, while a fleet file is in force ---------------------------------------------------------
SPEND_RATE = Metric(
    "trimtab_spend_rate_usd_per_hour",
    "What all that serves and has a price costs an hour; absent before anything was seen.",
)
UNPRICED = Metric(
    "trimtab_spend_unpriced_accelerators",
    "Accelerators that serve without a price: they are in no sum of money.",
)
SPENT = Metric(
    "trimtab_spend_usd",
    "Spent in the account's present hour, day and month, to within a minute; begins anew with each.",
    ("period",),
)
SPENT_ASSUMED = Metric(
    "trimtab_spend_assumed_usd",
    "The part of it that was charged for what nobody could look at meanwhile.",
    ("period",),
)
SPEND_LIMIT = Metric("trimtab_spend_limit_usd", "The most that may be spent in it.", ("period",))
SPEND_TRIMMING = Metric(
    "trimtab_spend_limit_trimming",
    "Whether counts are lowered for the limit now.",
    ("period",),
)

# -- what the accounts say -----------------------------------------------------------------------
ACCOUNT_QUOTA = Metric(
    "trimtab_account_quota_accelerators",
    "Accelerators that the account may use, as its control plane told last.",
    ("target", *REGION_LABELS),
)
ACCOUNT_USED = Metric(
    "trimtab_account_used_accelerators",
    "Accelerators in use as the account's control plane told last, also outside of all deployments.",
    ("target", *REGION_LABELS),
)
QUOTAS_NOT_UNDERSTOOD = Metric(
    "trimtab_account_quotas_not_understood",
    "Quotas of the account that may be of accelerators and that limit nothing, as nobody can tell of which.",
    ("target",),
)
QUOTAS_LAST_READ = Metric(
    "trimtab_account_quotas_last_read_timestamp_seconds",
    "When the account's quotas were last read; absent before the first time.",
    ("target",),
)
QUOTAS_READABLE = Metric(
    "trimtab_account_quotas_readable",
    "Whether the last reading of the account's quotas worked; absent before the first.",
    ("target",),
)
