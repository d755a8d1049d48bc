# ruff: noqa: INP001  a folder of scripts, no package
"""The dashboard of the daemon: is it well, does it keep up, and is what it depends on there."""

from __future__ import annotations

import thresholds as at
from boards import DAEMON, JOB, RATE, Row, board, quantile
from dependency_rows import SOURCES, TARGETS
from panels import (
    GREEN,
    NONE_IS_FINE,
    ONE_IS_FINE,
    QUARTER,
    RED,
    THIRD,
    YELLOW,
    Query,
    lines,
    number,
    rows_of,
    states,
)

_NOW = Row(
    "Now",
    (
        number(
            "Decides",
            "Whether a process decides, or all wait for a journal that another one holds.",
            "none",
            Query(f"max(trimtab_leader{{{JOB}}})", "leader"),
            limits=ONE_IS_FINE,
            alert="TrimtabNoLeader",
            words={"0": ("waits", RED), "1": ("yes", GREEN)},
            width=3,
        ),
        number(
            "Evaluated",
            "How long ago an evaluation last succeeded, in the process where that is longest.",
            "s",
            Query(
                f"time() - min(trimtab_last_successful_evaluation_timestamp_seconds{{{JOB}}})",
                "ago",
            ),
            limits=((None, GREEN), (at.NOT_EVALUATING_SECONDS, RED)),
            alert="TrimtabNotEvaluating",
            width=3,
        ),
        number(
            "Journal",
            "How well things are kept. In every mode but durable and volatile nothing is written to deployments.",
            "none",
            Query(f"max by (mode) (trimtab_journal_mode{{{JOB}}} == 1)", "{{mode}}"),
            alert="TrimtabJournalDegraded",
            width=3,
            is_name=True,
        ),
        number(
            "Policies as written",
            "Whether everything that the policy files say is in force.",
            "none",
            Query(f"min(trimtab_policy_reload_successful{{{JOB}}})", "as written"),
            limits=ONE_IS_FINE,
            alert="TrimtabPolicyReloadFailed",
            words={"0": ("no", RED), "1": ("yes", GREEN)},
            width=3,
        ),
        number(
            "Control planes",
            "Whether the deployments of every target can be listed.",
            "none",
            Query(f"min(trimtab_target_readable{{{JOB}}})", "readable"),
            limits=ONE_IS_FINE,
            alert="TrimtabControlPlaneUnreadable",
            words={"0": ("unreadable", RED), "1": ("readable", GREEN)},
            width=3,
        ),
        number(
            "Set aside by a bug",
            "Deployments that are not scaled because trimtab met a bug of its own.",
            "short",
            Query(f'sum(trimtab_deployments_held{{{JOB}, reason="invariant"}})', "deployments"),
            limits=NONE_IS_FINE,
            alert="TrimtabDeploymentIsolated",
            width=3,
        ),
        number(
            "Running for",
            "Since the start of the process.",
            "s",
            Query(f"time() - max(trimtab_start_timestamp_seconds{{{JOB}}})", "running"),
            width=3,
        ),
        number(
            "Version",
            "The version that runs.",
            "none",
            Query(f"max by (version) (trimtab_build_info{{{JOB}}})", "{{version}}"),
            width=3,
            is_name=True,
        ),
    ),
)

_EVALUATIONS = Row(
    "Evaluations: rate, errors, duration",
    (
        lines(
            "Decisions a second",
            "By verdict. Each deployment is decided on once a tick, and whenever something happens to it.",
            "ops",
            Query(
                f"sum by (verdict) (rate(trimtab_decisions_total{{{JOB}}}{RATE}))", "{{verdict}}"
            ),
            width=QUARTER,
        ),
        lines(
            "Duration of an evaluation",
            "An evaluation is of at most eight deployments.",
            "s",
            Query(quantile(0.5, "trimtab_evaluation_duration_seconds"), "half"),
            Query(quantile(0.99, "trimtab_evaluation_duration_seconds"), "99 of 100"),
            width=QUARTER,
        ),
        lines(
            "Lag of evaluations",
            "How late evaluations begin. Growing, the daemon does not keep up.",
            "s",
            Query(quantile(0.5, "trimtab_evaluation_lag_seconds"), "half"),
            Query(quantile(0.99, "trimtab_evaluation_lag_seconds"), "99 of 100"),
            limits=((None, GREEN), (at.LAG_SECONDS, RED)),
            alert="TrimtabFallingBehind",
            width=QUARTER,
        ),
        lines(
            "What waits",
            "Deployments to be evaluated, samples for them, orders to be written.",
            "short",
            Query(f"sum(trimtab_evaluations_waiting{{{JOB}}})", "evaluations"),
            Query(f"sum(trimtab_samples_waiting{{{JOB}}})", "samples"),
            Query(f"sum(trimtab_orders_waiting{{{JOB}}})", "orders"),
            Query(f"sum(trimtab_deployment_write_in_flight{{{JOB}}})", "writes in flight"),
            alert="TrimtabFallingBehind",
            width=QUARTER,
        ),
        lines(
            "What was noticed",
            "Events of deployments, a minute.",
            "short",
            Query(
                f"sum by (kind) (rate(trimtab_events_total{{{JOB}}}{RATE})) * 60 > 0", "{{kind}}"
            ),
        ),
        lines(
            "Task restarts and clock jumps",
            "Tasks that should run for ever and ended, and jumps of the system clock, in the last hour.",
            "short",
            Query(
                f"sum by (task) (increase(trimtab_task_restarts_total{{{JOB}}}[1h]))", "{{task}}"
            ),
            Query(
                f"sum by (direction) (increase(trimtab_clock_jumps_total{{{JOB}}}[1h]))",
                "clock {{direction}}",
            ),
            alert="TrimtabNotEvaluating",
        ),
    ),
)

_JOURNAL = Row(
    "Journal",
    (
        states(
            "Mode",
            "Green while what must survive a power cut does.",
            Query(f"max by (mode) (trimtab_journal_mode{{{JOB}}})", "{{mode}}"),
            limits=((None, "transparent"), (1, GREEN)),
            alert="TrimtabJournalDegraded",
            width=QUARTER,
        ),
        lines(
            "Entries that wait",
            "Noted and not durable yet; dropped ones were lost. Writes without an end are under way.",
            "short",
            Query(f"sum(trimtab_journal_entries_waiting{{{JOB}}})", "waiting"),
            Query(
                f"sum(increase(trimtab_journal_entries_dropped_total{{{JOB}}}[1h]))",
                "dropped in an hour",
            ),
            Query(
                f"sum(trimtab_journal_intentions_total{{{JOB}}} - trimtab_journal_ends_total{{{JOB}}})",
                "writes without an end",
            ),
            Query(f"sum(trimtab_interrupted_writes_pending{{{JOB}}})", "interrupted"),
            limits=((None, GREEN), (at.JOURNAL_WAITING_ENTRIES, YELLOW)),
            alert="TrimtabJournalDegraded",
            width=QUARTER,
        ),
        lines(
            "Size",
            "What the journal takes on the disk; kept within retention_size.",
            "bytes",
            Query(f"sum by (instance) (trimtab_journal_size_bytes{{{JOB}}})", "{{instance}}"),
            width=QUARTER,
        ),
        number(
            "Log of intentions",
            "1 while intentions have a log of their own; 0: each write waits for the journal's file.",
            "none",
            Query(f"min(trimtab_journal_intention_log_up{{{JOB}}})", "up"),
            limits=ONE_IS_FINE,
            alert="TrimtabJournalDegraded",
            width=QUARTER,
        ),
    ),
)

_PEOPLE = Row(
    "Policies and people",
    (
        lines(
            "Readings of policy files",
            "In the last hour, by how they ended.",
            "short",
            Query(
                f"sum by (result) (increase(trimtab_policy_reloads_total{{{JOB}}}[1h]))",
                "{{result}}",
            ),
            Query(f"max(trimtab_policy_bad_files{{{JOB}}})", "bad files now"),
            alert="TrimtabPolicyReloadFailed",
            width=THIRD,
        ),
        rows_of(
            "Overrides in force",
            "What people ordered, and how long it lasts. `trimtab overrides` says who and why.",
            "s",
            Query(
                f"max by (deployment, kind, blocks) (trimtab_override_end_timestamp_seconds{{{JOB}}}) - time()",
                "ends in",
            ),
            columns={"deployment": "deployment", "kind": "kind", "blocks": "blocks"},
            width=THIRD,
        ),
        rows_of(
            "Policies in force",
            "Who owns each, whether it writes, and for how many deployments it decides.",
            "short",
            Query(
                f"""
                max by (policy, owner, mode, actuation) (
                  trimtab_policy_info{{{JOB}}}
                    * on (job, instance, policy) group_left () trimtab_policy_deployments{{{JOB}}}
                )
                """,
                "deployments",
            ),
            columns={
                "policy": "policy",
                "owner": "owner",
                "mode": "mode",
                "actuation": "actuation",
            },
            width=THIRD,
        ),
    ),
)


def daemon_board() -> str:
    """Return deploy/grafana/trimtab-daemon.json."""
    return board(
        DAEMON,
        "trimtab / Daemon",
        "Whether trimtab is well, keeps up, and finds what it depends on.",
        (_NOW, _EVALUATIONS, TARGETS, SOURCES, _JOURNAL, _PEOPLE),
    )
