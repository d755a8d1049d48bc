# ruff: noqa: INP001  a folder of scripts, no package
"""Alerts on deployments: what users will feel, or what money is spent on for nothing."""

from __future__ import annotations

import recording
import thresholds as at
from rules import Alert, Group

_IS_ENFORCED = "unless on (job, instance, deployment) trimtab_deployment_shadow_replicas"


def _expiry(severity: str, within_seconds: int) -> str:
    beyond = "" if severity == "critical" else f" > {at.EXPIRY_CRITICAL_SECONDS}"
    return f"""
    (trimtab_deployment_expiry_timestamp_seconds - time() < {within_seconds}{beyond})
      and on (job, instance, deployment) (trimtab_deployment_wanted_replicas > 0)
    """


DEPLOYMENTS = Group(
    name="trimtab-deployments",
    rules=(
        Alert(
            name="TrimtabUnmetDemandAtMax",
            severity="warning",
            expr=f'{recording.UNMET}{{bound!~"quota|fleet"}}',
            lasting=at.AT_MAX_FOR,
            summary="A deployment is at its maximum and its load asks for more.",
            description="{{ $labels.deployment }} lacks {{ $value }} replicas that its rules want; "
            "the bound that stops it was set by: {{ $labels.bound }}. Requests may be waiting.",
        ),
        Alert(
            name="TrimtabBlockedByQuota",
            severity="warning",
            expr=f"""
            max by (job, deployment, policy, reason) (
              trimtab_deployment_hold{{reason=~"quota|reserved|borrowing|no_shape|quota_exceeded|capacity_refused"}} == 1
            )
              or
            max by (job, deployment, policy, reason) (
              label_replace({recording.UNMET}{{bound=~"quota|fleet"}}, "reason", "$1", "bound", "(.*)")
            )
            """,
            lasting=at.BLOCKED_FOR,
            summary="There are no accelerators for replicas that a deployment needs.",
            description="{{ $labels.deployment }} gets no more replicas: {{ $labels.reason }}.",
        ),
        Alert(
            name="TrimtabBlockedBySpendLimit",
            severity="warning",
            expr="""
            count by (job) (trimtab_deployment_hold{reason=~"spend_limit|no_price"} == 1) > 0
              or
            max by (job, period) (trimtab_spend_limit_trimming) == 1
            """,
            lasting=at.BLOCKED_FOR,
            summary="A spend limit keeps deployments from growing, or lowers their counts.",
            description="{{ with $labels.period }}Counts are lowered for the limit of the {{ . }}."
            "{{ else }}{{ $value }} deployments of job {{ $labels.job }} may not grow.{{ end }}",
        ),
        Alert(
            name="TrimtabReplicasStuckStarting",
            severity="warning",
            expr="time() - trimtab_deployment_stuck_since_timestamp_seconds > 0",
            lasting=at.STUCK_FOR,
            summary="Replicas that were asked for do not start.",
            description="{{ $labels.deployment }} has waited {{ $value | humanizeDuration }} longer than nearly all "
            "starts took. No more are asked for meanwhile.",
        ),
        Alert(
            name="TrimtabFlapping",
            severity="warning",
            expr=f"{recording.REVERSALS} >= {at.REVERSALS}",
            lasting="5m",
            summary="A deployment goes up and down again and again: every start is paid for and serves little.",
            description="{{ $labels.deployment }} turned from going up to going down {{ $value }} times in the last "
            f"{at.REVERSALS_RANGE}.",
        ),
        Alert(
            name="TrimtabOrdersNotCarriedOut",
            severity="warning",
            expr=f"""
            max by (job, deployment, policy, reason) (
              max_over_time(
                trimtab_deployment_order_withheld{{reason=~"backing_off|no_target|queue_full"}}[5m]
              )
              {_IS_ENFORCED}
            ) == 1
            """,
            lasting=at.NOT_CARRIED_OUT_FOR,
            summary="trimtab has decided on another count and cannot bring it about.",
            description="Orders for {{ $labels.deployment }} are not carried out: {{ $labels.reason }}.",
        ),
        Alert(
            name="TrimtabDeploymentFailed",
            severity="warning",
            expr='trimtab_deployment_state{state="FAILED"} == 1',
            lasting=at.FAILED_FOR,
            summary="The control plane says that a deployment failed: it is not scaled until it is repaired.",
            description="{{ $labels.deployment }} is FAILED.",
        ),
        Alert(
            name="TrimtabExpiryNearWithTraffic",
            severity="critical",
            expr=_expiry("critical", at.EXPIRY_CRITICAL_SECONDS),
            lasting=at.EXPIRY_FOR,
            summary="A deployment that serves traffic expires within the hour, or has expired.",
            description="{{ $labels.deployment }} expires in {{ $value | humanizeDuration }} and is used.",
        ),
        Alert(
            name="TrimtabExpiryNearWithTraffic",
            severity="warning",
            expr=_expiry("warning", at.EXPIRY_WARNING_SECONDS),
            lasting=at.EXPIRY_FOR,
            summary="A deployment that serves traffic expires within a day.",
            description="{{ $labels.deployment }} expires in {{ $value | humanizeDuration }} and is used.",
        ),
        Alert(
            name="TrimtabAttainmentMissed",
            severity="warning",
            expr="trimtab_strategy_missed_ratio > trimtab_strategy_missed_max_ratio",
            lasting=at.MISSED_FOR,
            summary="More load meets too few replicas than the policy's attainment allows.",
            description="{{ $value | humanizePercentage }} of the load of {{ $labels.deployment }} lately met too few "
            "replicas (rule {{ $labels.rule }}).",
        ),
    ),
)
