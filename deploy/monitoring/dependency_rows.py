# ruff: noqa: INP001  a folder of scripts, no package
"""The rows of the daemon's dashboard about what it depends on: control planes and sources of load."""

from __future__ import annotations

from boards import JOB, RATE, Row, quantile
from panels import GREEN, QUARTER, RED, Query, lines, states

TARGETS = Row(
    "Control planes: rate, errors, circuits",
    (
        lines(
            "Requests a second",
            "By what was asked.",
            "reqps",
            Query(
                f"sum by (target, verb) (rate(trimtab_target_requests_total{{{JOB}}}{RATE}))",
                "{{target}} {{verb}}",
            ),
            width=QUARTER,
        ),
        lines(
            "Requests that failed",
            "A minute, by how. What each kind means: docs/reference/error-kinds.md",
            "short",
            Query(
                f"""
                sum by (target, verb, outcome) (
                  rate(trimtab_target_requests_total{{{JOB}, outcome!="ok"}}{RATE})
                ) * 60 > 0
                """,
                "{{target}} {{verb}}: {{outcome}}",
            ),
            alert="TrimtabControlPlaneRefusing",
            width=QUARTER,
        ),
        lines(
            "Age of what is known",
            "Since all deployments, and the account's quotas, were last read, by the process that did so least lately.",
            "s",
            Query(
                f"time() - min by (target) (trimtab_target_last_read_timestamp_seconds{{{JOB}}})",
                "deployments of {{target}}",
            ),
            Query(
                f"time() - min by (target) (trimtab_account_quotas_last_read_timestamp_seconds{{{JOB}}})",
                "quotas of {{target}}",
            ),
            alert="TrimtabControlPlaneUnreadable",
            width=QUARTER,
        ),
        states(
            "Circuits that are not closed",
            "A bar while a target or source is left alone (open) or tried again (half open).",
            Query(
                f'max by (dependency, state) (trimtab_circuit_state{{{JOB}, state!="closed"}})',
                "{{dependency}}: {{state}}",
            ),
            limits=((None, GREEN), (1, RED)),
            alert="TrimtabControlPlaneUnreadable",
            width=QUARTER,
        ),
    ),
)

SOURCES = Row(
    "Sources: rate, errors, duration",
    (
        lines(
            "Samples a second",
            "What sources that are asked gave, and what was pushed, by what became of it.",
            "short",
            Query(
                f"sum by (source) (rate(trimtab_source_samples_total{{{JOB}}}{RATE}))", "{{source}}"
            ),
            Query(
                f"sum by (source, outcome) (rate(trimtab_push_samples_total{{{JOB}}}{RATE})) > 0",
                "{{source}}: {{outcome}}",
            ),
            width=QUARTER,
        ),
        lines(
            "Polls and pushes that failed",
            "A minute, by how.",
            "short",
            Query(
                f"""
                sum by (source, outcome) (
                  rate(trimtab_source_polls_total{{{JOB}, outcome!="ok"}}{RATE})
                ) * 60 > 0
                """,
                "{{source}}: {{outcome}}",
            ),
            Query(
                f"""
                sum by (source, outcome) (
                  rate(trimtab_push_requests_total{{{JOB}, outcome!="ok"}}{RATE})
                ) * 60 > 0
                """,
                "pushes to {{source}}: {{outcome}}",
            ),
            Query(
                f"sum by (source) (rate(trimtab_source_samples_dropped_total{{{JOB}}}{RATE})) * 60",
                "{{source}}: dropped",
            ),
            alert="TrimtabSignalsStale",
            width=QUARTER,
        ),
        lines(
            "Duration of a poll",
            "Nine of ten are faster.",
            "s",
            Query(quantile(0.9, "trimtab_source_poll_duration_seconds", "source"), "{{source}}"),
            width=QUARTER,
        ),
        lines(
            "Since a source was heard",
            "Since the last poll that worked, or the last push that changed a signal.",
            "s",
            Query(
                f"time() - max by (source, endpoint) (trimtab_source_last_success_timestamp_seconds{{{JOB}}})",
                "{{source}} {{endpoint}}",
            ),
            Query(
                f"time() - max by (source) (trimtab_push_last_accepted_timestamp_seconds{{{JOB}}})",
                "{{source}}",
            ),
            alert="TrimtabSignalsStale",
            width=QUARTER,
        ),
    ),
)
