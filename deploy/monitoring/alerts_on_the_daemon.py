# ruff: noqa: INP001  a folder of scripts, no package
"""Alerts on the daemon and on what it depends on: nobody scales, or nobody knows what to scale by."""

from __future__ import annotations

import recording
import thresholds as at
from rules import Alert, Group

DAEMON = Group(
    name="trimtab-daemon",
    rules=(
        Alert(
            name="TrimtabNoLeader",
            severity="critical",
            expr="(max by (job) (trimtab_leader) < 1) or absent(trimtab_leader)",
            lasting=at.NO_LEADER_FOR,
            summary="No trimtab process decides: replicas stay where they are.",
            description="{{ with $labels.job }}Every process of job {{ . }} waits for a journal that another "
            "one holds{{ else }}No trimtab is scraped at all{{ end }}. Nothing is scaled, up or down.",
        ),
        Alert(
            name="TrimtabNotEvaluating",
            severity="critical",
            expr=f"""
            time() - trimtab_last_successful_evaluation_timestamp_seconds
              > clamp_min({at.NOT_EVALUATING_TICKS} * trimtab_tick_interval_seconds, {at.NOT_EVALUATING_SECONDS})
              or
            (trimtab_leader == 1)
              unless on (job, instance) trimtab_last_successful_evaluation_timestamp_seconds
            """,
            lasting="2m",
            summary="trimtab runs and evaluates nothing: replicas stay where they are.",
            description="{{ $labels.instance }} has evaluated no deployment for more than "
            f"{at.NOT_EVALUATING_SECONDS} s and {at.NOT_EVALUATING_TICKS} ticks, or never since its start.",
        ),
        Alert(
            name="TrimtabBucketsUnserved",
            severity="critical",
            expr="""
            max by (job) (trimtab_coordination_buckets_all)
              - sum by (job) (trimtab_coordination_buckets{stage="serving"})
              > 0
            """,
            lasting=at.UNSERVED_FOR,
            summary="Daemons that share a fleet leave a part of it to nobody: replicas there stay where they are.",
            description="Nobody decides for what is in {{ $value }} of the buckets of job {{ $labels.job }}. "
            "Their deployments are not scaled, up or down.",
        ),
        Alert(
            name="TrimtabDecidedTwice",
            severity="critical",
            expr="""
            count by (deployment) (
              trimtab_deployment_desired_replicas
                unless on (job, instance, deployment) trimtab_deployment_shadow_replicas
            ) > 1
            """,
            lasting=at.DECIDED_TWICE_FOR,
            summary="Several trimtab processes enforce policies on the same deployment.",
            description="{{ $value }} processes write replica counts of {{ $labels.deployment }}, each by its "
            "own memory. They will undo each other's work.",
        ),
        Alert(
            name="TrimtabFallingBehind",
            severity="warning",
            expr=f"""
            {recording.LAG} > {at.LAG_SECONDS}
              or
            sum by (job) (increase(trimtab_source_samples_dropped_total[10m])) > 0
            """,
            lasting="10m",
            summary="trimtab does not keep up with what it hears.",
            description="Evaluations of job {{ $labels.job }} begin seconds late or samples are dropped "
            "({{ $value | humanize }}): it answers load late.",
        ),
        Alert(
            name="TrimtabJournalDegraded",
            severity="critical",
            expr="""
            (trimtab_journal_mode{mode=~"locked|full|read_only|broken"} == 1)
              and on (job, instance) (trimtab_leader == 1)
            """,
            lasting=at.JOURNAL_FOR,
            summary="The journal cannot be written: trimtab decides and writes nothing to deployments.",
            description="The journal of {{ $labels.instance }} is {{ $labels.mode }}. Until it can be written, "
            "no replica count is, unless the settings say journal.required: false.",
        ),
        Alert(
            name="TrimtabPolicyReloadFailed",
            severity="warning",
            expr="trimtab_policy_reload_successful == 0",
            lasting=at.RELOAD_FOR,
            summary="A policy file is bad: its last good version stays in force.",
            description="What the policy files of {{ $labels.instance }} say is not what it does.",
        ),
        Alert(
            name="TrimtabDeploymentIsolated",
            severity="warning",
            expr='trimtab_deployment_hold{reason="invariant"} == 1',
            lasting=at.ISOLATED_FOR,
            summary="trimtab met a bug of its own and has set a deployment aside.",
            description="{{ $labels.deployment }} is not scaled any more; the rest of the fleet is.",
        ),
    ),
)

DEPENDENCIES = Group(
    name="trimtab-dependencies",
    rules=(
        Alert(
            name="TrimtabControlPlaneUnreadable",
            severity="critical",
            expr="trimtab_target_readable == 0",
            lasting=at.UNREADABLE_FOR,
            summary="The control plane does not list deployments: nothing is written to them.",
            description="{{ $labels.instance }} cannot read the deployments of {{ $labels.target }}; what would be "
            "overwritten is not known, so replicas stay where they are.",
        ),
        Alert(
            name="TrimtabControlPlaneRefusing",
            severity="critical",
            expr=f"{recording.REFUSED} > {at.REFUSED_RATIO}",
            lasting=at.REFUSED_FOR,
            summary="The control plane refuses most writes of replica counts.",
            description="{{ $value | humanizePercentage }} of the writes to {{ $labels.target }} in the last "
            f"{at.REFUSED_RANGE} were refused or had no answer.",
        ),
        Alert(
            name="TrimtabSignalsStale",
            severity="warning",
            expr="""
            count by (job, policy, signal) (
              trimtab_signal_blocks
                and on (job, instance, deployment) (trimtab_deployment_ready_replicas > 0)
            ) > 0
            """,
            lasting=at.STALE_FOR,
            summary="A signal is stale or missing, and deployments are held for it.",
            description="Signal {{ $labels.signal }} of policy {{ $labels.policy }} cannot be used, which blocks "
            "moves of {{ $value }} deployments that serve.",
        ),
    ),
)
