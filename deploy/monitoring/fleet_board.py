# ruff: noqa: INP001  a folder of scripts, no package
"""The dashboard of the fleet: what it costs, how much of the quotas is used, how well it serves, who is blocked and why."""

from __future__ import annotations

import thresholds as at
from boards import FLEET, JOB, TO_DEPLOYMENT, Row, board
from panels import (
    GREEN,
    NONE_IS_FINE,
    QUARTER,
    RED,
    THIRD,
    YELLOW,
    Query,
    lines,
    number,
    rows_of,
)

BLOCKED = (
    "at_max|blocked_by_rule|blocked_by_override|bounds_conflict|borrowing|capacity_refused|expired|expires_soon"
    "|failed|group|invariant|missing_data|no_price|no_shape|not_free_yet|paused|quota|quota_exceeded|reserved"
    "|spend_limit|stuck|unknown_demand|unknown_state|updating"
)
"""Reasons to hold that keep something from happening that somebody wants."""

POOL = "job, accelerator_type, region, account"
"""A pool of accelerators. What every member tells of the whole fleet is never added up over members, nor a pool
to one that it is a part of."""

_NOW = Row(
    "Now",
    (
        number(
            "Deployments",
            "Deployments that a policy decides for.",
            "short",
            Query(f"sum(trimtab_policy_deployments{{{JOB}}})", "deployments"),
        ),
        number(
            "Serving",
            "Replicas that serve, of all deployments.",
            "short",
            Query(f"sum(trimtab_deployment_ready_replicas{{{JOB}}})", "replicas"),
        ),
        number(
            "On their way",
            "Replicas that were asked for and do not serve yet.",
            "short",
            Query(f"sum(trimtab_deployment_on_their_way_replicas{{{JOB}}})", "replicas"),
            alert="TrimtabReplicasStuckStarting",
        ),
        number(
            "Running rate",
            "What all that serves and has a price costs an hour. Without a fleet file nothing has a price.",
            "currencyUSD",
            Query(f"sum(max by (job) (trimtab_spend_rate_usd_per_hour{{{JOB}}}))", "an hour"),
        ),
        number(
            "Blocked",
            "Deployments that want another count and may not have it, by the latest decision.",
            "short",
            Query(f'sum(trimtab_deployments_held{{{JOB}, reason=~"{BLOCKED}"}})', "deployments"),
            limits=((None, GREEN), (1, YELLOW)),
        ),
        number(
            "Alerts",
            "Alerts of trimtab that are firing in this Prometheus.",
            "short",
            Query(
                'count(ALERTS{alertname=~"Trimtab.+", alertstate="firing"}) or vector(0)', "firing"
            ),
            limits=NONE_IS_FINE,
        ),
    ),
)

_BLOCKED = Row(
    "Who is blocked, and why",
    (
        rows_of(
            "Blocked deployments",
            "What the latest decision of each says stands in the way. What to do about each reason is in "
            "docs/reference/reasons.md.",
            "short",
            Query(
                f'max by (deployment, policy, reason) (trimtab_deployment_hold{{{JOB}, reason=~"{BLOCKED}"}})'
            ),
            columns={"deployment": "deployment", "policy": "policy", "reason": "reason"},
            link=TO_DEPLOYMENT,
        ),
        rows_of(
            "Replicas wanted that the bounds do not allow",
            "Wanted less allowed, and which bound cuts it: the policy's, the deployment's own, a quota's, …",
            "short",
            Query(
                f"""
                trimtab_deployment_wanted_replicas{{{JOB}}}
                  - on (job, instance, deployment, policy) group_right ()
                trimtab_deployment_allowed_replicas{{{JOB}, bound!="none"}}
                """,
                "short of",
            ),
            columns={"deployment": "deployment", "policy": "policy", "bound": "set by"},
            alert="TrimtabUnmetDemandAtMax",
            link=TO_DEPLOYMENT,
        ),
        lines(
            "Deployments held, by reason",
            "All reasons but `steady`, which is a hold because nothing is to be done.",
            "short",
            Query(
                f'sum by (reason) (trimtab_deployments_held{{{JOB}, reason!="steady"}}) > 0',
                "{{reason}}",
            ),
            is_stacked=True,
            is_stepped=True,
        ),
        lines(
            "Orders that could not be begun",
            "Decisions on another count that did not even become a write, a minute, by why.",
            "short",
            Query(
                f"sum by (reason) (rate(trimtab_orders_withheld_total{{{JOB}}}[$__rate_interval])) * 60",
                "{{reason}}",
            ),
            alert="TrimtabOrdersNotCarriedOut",
        ),
    ),
)

_MONEY = Row(
    "Money",
    (
        lines(
            "Running rate, the dearest deployments",
            "What the replicas that serve cost an hour: all together, and the ten deployments that cost most.",
            "currencyUSD",
            Query(f"sum(max by (job) (trimtab_spend_rate_usd_per_hour{{{JOB}}}))", "all"),
            Query(
                f"topk(10, sum by (deployment) (trimtab_deployment_spend_rate_usd_per_hour{{{JOB}}}))",
                "{{deployment}}",
            ),
        ),
        lines(
            "Spent in the present hour, day and month",
            "As billed, by the second of serving; it begins anew with each period of the account's zone.",
            "currencyUSD",
            Query(f"max by (period) (trimtab_spend_usd{{{JOB}}})", "{{period}}"),
            width=QUARTER,
        ),
        lines(
            "Of the spend limit",
            "Of an hour's limit the running rate, of a day's and a month's what is spent.",
            "percentunit",
            Query(
                f"""
                max by (period) (trimtab_spend_usd{{{JOB}, period!="hour"}})
                  / on (period) max by (period) (trimtab_spend_limit_usd{{{JOB}}})
                """,
                "{{period}}",
            ),
            Query(
                f"""
                max(trimtab_spend_rate_usd_per_hour{{{JOB}}})
                  / on () max(trimtab_spend_limit_usd{{{JOB}, period="hour"}})
                """,
                "hour, by the rate",
            ),
            limits=((None, GREEN), (at.SPEND_USED_RATIO, YELLOW), (1, RED)),
            alert="TrimtabBlockedBySpendLimit",
            width=QUARTER,
        ),
    ),
)

_QUOTA = Row(
    "Quotas",
    (
        lines(
            "Accelerators used of the quota",
            "Held by deployments or in use outside of them, of the smallest quota that anybody states.",
            "percentunit",
            Query(
                f"""
                (
                  max by ({POOL}) (trimtab_fleet_held_accelerators{{{JOB}}})
                    + max by ({POOL}) (trimtab_fleet_elsewhere_accelerators{{{JOB}}})
                )
                  /
                max by ({POOL}) (trimtab_fleet_quota_accelerators{{{JOB}}})
                """,
                "{{accelerator_type}} {{region}} {{account}}",
            ),
            limits=((None, GREEN), (at.QUOTA_USED_RATIO, YELLOW), (1, RED)),
            alert="TrimtabBlockedByQuota",
            width=THIRD,
        ),
        lines(
            "Accelerators held",
            "What deployments hold of each type, and the quota with who says it: a file, the account, a refusal.",
            "short",
            Query(
                f"max by ({POOL}) (trimtab_fleet_held_accelerators{{{JOB}}})",
                "held {{accelerator_type}} {{region}} {{account}}",
            ),
            Query(
                f"max by ({POOL}, source) (trimtab_fleet_quota_accelerators{{{JOB}}})",
                "quota {{accelerator_type}} {{region}} {{account}} ({{source}})",
            ),
            is_stepped=True,
            width=THIRD,
        ),
        lines(
            "What accounts say",
            "Quota and use as each control plane told last; use outside of all deployments is in it.",
            "short",
            Query(
                f"max by (target, accelerator_type, region) (trimtab_account_quota_accelerators{{{JOB}}})",
                "quota {{target}} {{accelerator_type}} {{region}}",
            ),
            Query(
                f"max by (target, accelerator_type, region) (trimtab_account_used_accelerators{{{JOB}}})",
                "used {{target}} {{accelerator_type}} {{region}}",
            ),
            is_stepped=True,
            width=THIRD,
        ),
    ),
)

_SERVICE = Row(
    "How well it serves, how much it moves",
    (
        lines(
            "Attainment, the ten worst",
            "Share of the load of the last days that met enough replicas, as rules that forecast know it.",
            "percentunit",
            Query(
                f"bottomk(10, 1 - max by (deployment) (trimtab_strategy_missed_ratio{{{JOB}}}))",
                "{{deployment}}",
            ),
            least=None,
            most=1,
            alert="TrimtabAttainmentMissed",
            width=THIRD,
        ),
        lines(
            "Moves",
            "Decisions for another count, a minute.",
            "short",
            Query(
                f"""
                sum by (verdict, reason) (
                  rate(trimtab_decisions_total{{{JOB}, verdict!="hold"}}[$__rate_interval])
                ) * 60
                """,
                "{{verdict}}: {{reason}}",
            ),
            alert="TrimtabFlapping",
            width=THIRD,
        ),
        lines(
            "Writes, by how they ended",
            "Replica counts written, a minute. `unknown`: no answer came, and reading back did not tell.",
            "short",
            Query(
                f"sum by (outcome, direction) (rate(trimtab_writes_total{{{JOB}}}[$__rate_interval])) * 60",
                "{{direction}}: {{outcome}}",
            ),
            alert="TrimtabControlPlaneRefusing",
            width=THIRD,
        ),
    ),
)


def fleet_board() -> str:
    """Return deploy/grafana/trimtab-fleet.json."""
    return board(
        FLEET,
        "trimtab / Fleet",
        "What the fleet costs and uses, how well it serves, who is blocked and why.",
        (_NOW, _BLOCKED, _MONEY, _QUOTA, _SERVICE),
    )
