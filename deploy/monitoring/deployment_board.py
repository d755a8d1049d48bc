# ruff: noqa: INP001  a folder of scripts, no package
"""The dashboard of one deployment: why it has the replicas that it has, and why not others."""

from __future__ import annotations

import thresholds as at
from boards import DEPLOYMENT, JOB, ONE, Annotation, Row, board, choice
from panels import (
    BLUE,
    GREEN,
    ONE_IS_FINE,
    RED,
    THIRD,
    YELLOW,
    Query,
    lines,
    number,
    states,
)

_NOW = Row(
    "Now",
    (
        number(
            "State",
            "What the control plane says.",
            "none",
            Query(f"max by (state) (trimtab_deployment_state{{{ONE}}})", "{{state}}"),
            alert="TrimtabDeploymentFailed",
            width=3,
            is_name=True,
        ),
        number(
            "Latest decision",
            "Why the latest decision is to hold; no data when it is to move.",
            "none",
            Query(f"max by (reason) (trimtab_deployment_hold{{{ONE}}})", "hold: {{reason}}"),
            width=3,
            is_name=True,
        ),
        number(
            "Decided",
            "How long ago the deployment was last decided on. A tick is 15 s unless the settings say otherwise.",
            "s",
            Query(
                f"time() - max(trimtab_deployment_last_decision_timestamp_seconds{{{ONE}}})", "ago"
            ),
            limits=((None, GREEN), (at.NOT_EVALUATING_SECONDS, RED)),
            alert="TrimtabNotEvaluating",
            width=3,
        ),
        number(
            "Serving",
            "Replicas that serve.",
            "short",
            Query(f"max(trimtab_deployment_ready_replicas{{{ONE}}})", "replicas"),
            width=3,
        ),
        number(
            "Bound by",
            "What cuts the replicas wanted; `none`: nothing does.",
            "none",
            Query(f"max by (bound) (trimtab_deployment_allowed_replicas{{{ONE}}})", "{{bound}}"),
            alert="TrimtabUnmetDemandAtMax",
            width=3,
            is_name=True,
        ),
        number(
            "Lead time",
            "From asking for a replica until it serves: nine of ten starts are faster.",
            "s",
            Query(f'max(trimtab_deployment_lead_time_seconds{{{ONE}, share="0.9"}})', "9 of 10"),
            width=3,
        ),
        number(
            "Costs an hour",
            "What the replicas that serve cost; no data without a fleet file or a price.",
            "currencyUSD",
            Query(f"max(trimtab_deployment_spend_rate_usd_per_hour{{{ONE}}})", "an hour"),
            width=3,
        ),
        number(
            "Expires in",
            "Until the deployment's expiry; no data when it never expires.",
            "s",
            Query(f"max(trimtab_deployment_expiry_timestamp_seconds{{{ONE}}}) - time()", "left"),
            limits=(
                (None, RED),
                (at.EXPIRY_CRITICAL_SECONDS, YELLOW),
                (at.EXPIRY_WARNING_SECONDS, GREEN),
            ),
            alert="TrimtabExpiryNearWithTraffic",
            width=3,
        ),
    ),
)

_COUNTS = Row(
    "Demand, capacity, replicas",
    (
        lines(
            "Demand against replicas",
            "All in replicas. Load is what keeps so many busy at their SLO; forecast is the load when one that is "
            "ordered now serves. Wanted is what the rules want, asked for is what was decided, serving is what there is.",
            "short",
            Query(f"max(trimtab_strategy_load_replicas{{{ONE}}})", "load"),
            Query(f"max(trimtab_strategy_forecast_replicas{{{ONE}}})", "forecast"),
            Query(f"max(trimtab_deployment_wanted_replicas{{{ONE}}})", "wanted"),
            Query(f"max(trimtab_deployment_desired_replicas{{{ONE}}})", "asked for"),
            Query(f"max(trimtab_deployment_ready_replicas{{{ONE}}})", "serving"),
            Query(f"max(trimtab_deployment_min_replicas{{{ONE}}})", "at least"),
            Query(f"max(trimtab_deployment_max_replicas{{{ONE}}})", "at most"),
            width=24,
            alert="TrimtabUnmetDemandAtMax",
        ),
        lines(
            "What each rule proposes",
            "The largest demand wins, floors raise it, ceilings cap it. A rule without a line cannot tell.",
            "short",
            Query(
                f"max by (rule, role) (trimtab_rule_proposed_replicas{{{ONE}}})",
                "{{rule}} ({{role}})",
            ),
            is_stepped=True,
        ),
        lines(
            "Wanted and allowed",
            "Where allowed is below wanted (or above), the legend names what set the bound.",
            "short",
            Query(f"max(trimtab_deployment_wanted_replicas{{{ONE}}})", "wanted"),
            Query(
                f"max by (bound) (trimtab_deployment_allowed_replicas{{{ONE}}})",
                "allowed, cut by {{bound}}",
            ),
            is_stepped=True,
        ),
        states(
            "Why it was held",
            "A bar while the latest decision was to hold for that reason. `steady` is no trouble.",
            Query(f"max by (reason) (trimtab_deployment_hold{{{ONE}}})", "{{reason}}"),
            limits=((None, BLUE),),
        ),
        states(
            "Rules, signals and people that block",
            "A bar while a rule with `role: hold` blocks a direction, a signal does because it is missing, or an override "
            "is in force.",
            Query(
                f"""
                max by (rule, blocks) (trimtab_rule_blocks{{{ONE}}})
                  or
                max by (signal, blocks) (trimtab_signal_blocks{{{ONE}}})
                  or
                max by (kind, blocks) (
                  trimtab_override_end_timestamp_seconds{{{JOB}, deployment=~"$deployment|[*]"}} > bool 0
                )
                """,
                "{{rule}}{{signal}}{{kind}} {{blocks}}",
            ),
            limits=((None, YELLOW),),
        ),
    ),
)

_PIPELINE = Row(
    "Replicas that start",
    (
        lines(
            "Serving and starting",
            "Replicas that serve, and those that exist and do not serve yet.",
            "short",
            Query(f"max(trimtab_deployment_ready_replicas{{{ONE}}})", "serving"),
            Query(f"max(trimtab_deployment_on_their_way_replicas{{{ONE}}})", "on their way"),
            is_stacked=True,
            is_stepped=True,
            alert="TrimtabReplicasStuckStarting",
            width=THIRD,
        ),
        lines(
            "Lead times",
            "How long starts take, as learned from those that were seen; and how far ahead the forecast looks.",
            "s",
            Query(
                f"max by (share) (trimtab_deployment_lead_time_seconds{{{ONE}}})",
                "{{share}} of starts are faster",
            ),
            Query(
                f"max by (rule) (trimtab_strategy_forecast_horizon_seconds{{{ONE}}})",
                "horizon of {{rule}}",
            ),
            width=THIRD,
        ),
        lines(
            "Stuck and failing",
            "For how long replicas have been waited for too long, and how many writes in a row came to nothing.",
            "short",
            Query(
                f"(time() - max(trimtab_deployment_stuck_since_timestamp_seconds{{{ONE}}})) / 60",
                "stuck, minutes",
            ),
            Query(
                f"max by (error_kind) (trimtab_deployment_write_failures{{{ONE}}})",
                "failed writes: {{error_kind}}",
            ),
            alert="TrimtabReplicasStuckStarting",
            width=THIRD,
        ),
    ),
)

_SIGNALS = Row(
    "What it hears",
    (
        lines(
            "Age of signals",
            "How old the latest sample was at the latest decision. A signal without a line was never heard.",
            "s",
            Query(f"max by (signal) (trimtab_signal_age_seconds{{{ONE}}})", "{{signal}}"),
            alert="TrimtabSignalsStale",
            width=THIRD,
        ),
        states(
            "Usable signals",
            "Green while the signal keeps its contract (`maxAge`), red while it is stale or missing.",
            Query(f"min by (signal) (trimtab_signal_usable{{{ONE}}})", "{{signal}}"),
            limits=ONE_IS_FINE,
            alert="TrimtabSignalsStale",
            width=THIRD,
        ),
        lines(
            "Values",
            "What decisions rest on, in the signal's own unit.",
            "short",
            Query(f"max by (signal) (trimtab_signal_value{{{ONE}}})", "{{signal}}"),
            least=None,
            width=THIRD,
        ),
    ),
)

_FORECAST = Row(
    "What the strategy knows",
    (
        lines(
            "Forecast and its error",
            "Spare is what is asked for beyond the forecast, against its error and against bursts.",
            "short",
            Query(
                f"max by (rule) (trimtab_strategy_forecast_replicas{{{ONE}}})",
                "forecast of {{rule}}",
            ),
            Query(
                f"max by (rule) (trimtab_strategy_forecast_error_replicas{{{ONE}}})",
                "one standard deviation of {{rule}}",
            ),
            Query(f"max by (rule) (trimtab_strategy_spare_replicas{{{ONE}}})", "spare of {{rule}}"),
        ),
        lines(
            "Missed and allowed to be missed",
            "Share of the load of the last days that met too few replicas; the other line is 1 less the attainment "
            "that the policy asks for.",
            "percentunit",
            Query(f"max by (rule) (trimtab_strategy_missed_ratio{{{ONE}}})", "missed by {{rule}}"),
            Query(
                f"max by (rule) (trimtab_strategy_missed_max_ratio{{{ONE}}})", "allowed to {{rule}}"
            ),
            alert="TrimtabAttainmentMissed",
        ),
        lines(
            "Capacity of one replica",
            "Requests a second that one is believed to carry within its SLO: given, corrected or learned.",
            "reqps",
            Query(
                f"max by (rule) (trimtab_strategy_capacity_requests_per_second{{{ONE}}})",
                "{{rule}}",
            ),
        ),
        lines(
            "Ratios",
            "What is paid now for a missed request less, in times of what serving it costs; and what the capacity that "
            "the policy gives turned out to be (well below 1, it is wrong).",
            "none",
            Query(
                f"max by (rule) (trimtab_strategy_miss_price_ratio{{{ONE}}})", "price of {{rule}}"
            ),
            Query(
                f"max by (rule) (trimtab_strategy_capacity_factor_ratio{{{ONE}}})",
                "capacity factor of {{rule}}",
            ),
        ),
    ),
)

_DESIRED = f"max(trimtab_deployment_desired_replicas{{{ONE}}})"
_ANNOTATIONS = (
    Annotation(
        "Scaled up",
        f"{_DESIRED} - {_DESIRED.replace('})', '} offset 30s)')} > 0",
        GREEN,
        "scaled up",
    ),
    Annotation(
        "Scaled down",
        f"{_DESIRED.replace('})', '} offset 30s)')} - {_DESIRED} > 0",
        BLUE,
        "scaled down",
    ),
    Annotation(
        "Refused or blocked",
        f"""
        max by (reason) (
          trimtab_deployment_hold{{{ONE}, reason=~"quota.*|reserved|borrowing|spend_limit|no_.+|stuck|capacity_refused|paused|failed|expired"}}
        )
        """,
        RED,
        "held: {{reason}}",
        "What to do about it: docs/reference/reasons.md",
    ),
    Annotation(
        "Overrides",
        f"""
        max by (kind, blocks) (
          trimtab_override_end_timestamp_seconds{{{JOB}, deployment=~"$deployment|[*]"}}
        )
        """,
        YELLOW,
        "override: {{kind}} {{blocks}}",
        "trimtab overrides says who, why and until when.",
    ),
)


def deployment_board() -> str:
    """Return deploy/grafana/trimtab-deployment.json."""
    which = choice(
        "deployment",
        "Deployment",
        f"label_values(trimtab_deployment_desired_replicas{{{JOB}}}, deployment)",
    )
    return board(
        DEPLOYMENT,
        "trimtab / Deployment",
        "Why one deployment has the replicas that it has, and why not others.",
        (_NOW, _COUNTS, _PIPELINE, _SIGNALS, _FORECAST),
        variables=(which,),
        annotations=_ANNOTATIONS,
    )
