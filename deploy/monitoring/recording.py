# ruff: noqa: INP001  a folder of scripts, no package
"""Recording rules: what alerts look at more than once, and what is worth keeping for longer than raw series."""

from __future__ import annotations

import thresholds as at
from rules import Group, Record

REVERSALS = f"deployment:trimtab_deployment_desired_replicas:reversals{at.REVERSALS_RANGE}"
DIRECTION = "deployment:trimtab_deployment_desired_replicas:direction"
UNMET = "deployment:trimtab_deployment_unmet_replicas:sub"
REFUSED = f"target:trimtab_target_writes:refused_ratio{at.REFUSED_RANGE}"
LAG = "job:trimtab_evaluation_lag_seconds:p99_5m"
QUOTA_USED = "pool:trimtab_fleet_quota_used:ratio"
ATTAINED = "deployment:trimtab_strategy_attained:ratio"

RECORDING = (
    Group(
        name="trimtab-recording",
        rules=(
            # Replicas wanted that the bounds do not allow, with the bound that binds.
            Record(
                name=UNMET,
                expr="""
                trimtab_deployment_wanted_replicas
                  - on (job, instance, deployment, policy) group_right ()
                trimtab_deployment_allowed_replicas{bound!="none"}
                > 0
                """,
            ),
            # Which way the count moved last: 1 or -1, kept by looking at the rule's own value before.
            Record(
                name=DIRECTION,
                expr=f"""
                (
                  sgn(
                    trimtab_deployment_desired_replicas
                      - trimtab_deployment_desired_replicas offset 1m
                  ) != 0
                )
                  or
                ({DIRECTION} and trimtab_deployment_desired_replicas)
                """,
            ),
            # resets() counts how often a value fell: from up to down.
            Record(name=REVERSALS, expr=f"resets({DIRECTION}[{at.REVERSALS_RANGE}])"),
            # By job and no `without`: operators label by pod as well, and members of one fleet belong together.
            # Of the writes that were tried, those refused or without an answer; quotas have an alert of their own.
            Record(
                name=REFUSED,
                expr=f"""
                sum by (job, target) (
                  rate(trimtab_target_requests_total{{verb="write", outcome!~"ok|quota_exceeded"}}[{at.REFUSED_RANGE}])
                )
                  /
                (
                  sum by (job, target) (
                    rate(trimtab_target_requests_total{{verb="write"}}[{at.REFUSED_RANGE}])
                  ) > 0
                )
                """,
            ),
            Record(
                name=LAG,
                expr="""
                histogram_quantile(
                  0.99, sum by (job, le) (rate(trimtab_evaluation_lag_seconds_bucket[5m]))
                )
                """,
            ),
            Record(
                name=QUOTA_USED,
                # Every member of a fleet tells the same.
                expr="""
                (
                  max by (job, accelerator_type, region, account) (trimtab_fleet_held_accelerators)
                    + max by (job, accelerator_type, region, account) (trimtab_fleet_elsewhere_accelerators)
                )
                  / ignoring (source) group_right ()
                (max by (job, accelerator_type, region, account, source) (trimtab_fleet_quota_accelerators) > 0)
                """,
            ),
            Record(name=ATTAINED, expr="1 - max without (rule) (trimtab_strategy_missed_ratio)"),
        ),
    ),
)
