# ruff: noqa: INP001  a folder of scripts, no package
"""Every number of alerts and dashboards, once. Change one here and run generate.py.

Durations are in Prometheus' words where they are a range or a wait, in seconds where they are compared.
"""

from __future__ import annotations

NOT_EVALUATING_SECONDS = 120
NOT_EVALUATING_TICKS = 8
"""The loop decides at least once a tick, even if nothing is due; eight ticks of the usual 15 s are two minutes. Where
`tick_interval` is longer, so many ticks are waited for; where it is shorter, the seconds."""

LAG_SECONDS = 5
"""A pushed sample is answered within 10 ms, a tick within a second; at 5 s the daemon does not keep up."""

NO_LEADER_FOR = "5m"
"""Longer than a restart, with its wait for the journal of the process before, takes."""

UNSERVED_FOR = "5m"
"""A bucket has a new owner after one and a half leases of 15 s at most; with leases of minutes it takes longer."""

DECIDED_TWICE_FOR = "10m"
"""Longer than the series of a process that was replaced are still looked back at."""

UNREADABLE_FOR = "5m"
JOURNAL_FOR = "2m"
RELOAD_FOR = "5m"
ISOLATED_FOR = "1m"

REFUSED_RATIO = 0.5
REFUSED_RANGE = "10m"
REFUSED_FOR = "10m"
"""Half of the writes for longer than the pauses of backing off: no single hiccup."""

STALE_FOR = "10m"
"""The contract of a signal (`maxAge`) is over already when it counts as stale; this is on top of it."""

AT_MAX_FOR = "10m"
BLOCKED_FOR = "15m"
STUCK_FOR = "5m"
"""On top of the 99th percentile of the starts seen, or `stuck.after`, which it takes to count as stuck."""

NOT_CARRIED_OUT_FOR = "10m"
FAILED_FOR = "5m"

REVERSALS = 4
REVERSALS_RANGE = "1h"
"""Four times up and down again within an hour. An ordinary day turns round once, in however many steps."""

EXPIRY_WARNING_SECONDS = 24 * 3600
"""A working day to find out who owns the deployment."""

EXPIRY_CRITICAL_SECONDS = 3600
EXPIRY_FOR = "5m"

MISSED_FOR = "1h"
"""The missed share is one of days, so it neither comes nor goes in minutes."""

JOURNAL_WAITING_ENTRIES = 1000
"""A quarter of what is held before entries are lost."""

QUOTA_USED_RATIO = 0.9
SPEND_USED_RATIO = 0.8
