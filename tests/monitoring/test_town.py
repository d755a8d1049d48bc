"""All that is shipped, on what a Prometheus would have scraped of a daemon whose day had everything in it.

One test, as the day takes a while to live; it names everything that is amiss at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.monitoring.bundle import RECORDING, boards, reference, rules, without_records
from tests.monitoring.conftest import Asked
from tests.monitoring.town import Town

NEVER_HAPPENS = {"TrimtabDecidedTwice", "TrimtabDeploymentIsolated", "TrimtabNotEvaluating"}
"""What must never be told of the town, whatever goes wrong around the daemon."""

SEEN_IN_THE_TOWN = {
    "TrimtabBlockedByQuota",
    "TrimtabControlPlaneRefusing",
    "TrimtabControlPlaneUnreadable",
    "TrimtabExpiryNearWithTraffic",
    "TrimtabJournalDegraded",
    "TrimtabOrdersNotCarriedOut",
    "TrimtabPolicyReloadFailed",
    "TrimtabReplicasStuckStarting",
    "TrimtabSignalsStale",
    "TrimtabUnmetDemandAtMax",
}
"""What goes wrong in the town that is scraped, so that the alert's condition must have been true there."""


NOT_SEEN_IN_THE_TOWN = {"trimtab_history_rules_total"}
"""Rules ask a source for the past only where one keeps it; none in the town does."""


def expanded(expr: str, deployment: str = "") -> str:
    """A query as Grafana would send it: variables replaced."""
    for name, value in {
        "$__rate_interval": "4m",
        "$job": "trimtab",
        "$deployment": deployment,
    }.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def silent_queries(asked: Asked, town: Town) -> Iterator[str]:
    """Every query of a dashboard that nobody would see anything of, for any deployment."""
    names = [town.name(one) for one in ("chat", "search", "research", "batch")]
    for board in boards():
        for where, expr in board.queries():
            for part in re.split(r"\n\s*or\n", expr):  # each side has to say something
                if not any(asked.numbers(expanded(part, one)) for one in names):
                    yield f"{where}: {part}"
        for where, query in board.variables():
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
            assert match is not None, query
            if not asked.values_of(match[2], expanded(match[1])):
                yield where


def silent_rules(asked: Asked) -> Iterator[str]:
    """Every rule that says nothing of what went wrong, or of what it records."""
    heard = {rule["alert"] for rule in rules() if asked.numbers(without_records(rule["expr"]))}
    yield from SEEN_IN_THE_TOWN - heard
    for rule in rules(RECORDING):
        # What rests on another record's past cannot be told without recording; promtool judges it.
        is_over_time = "reversals" in rule["record"]
        if not is_over_time and not asked.numbers(without_records(rule["expr"])):
            yield rule["record"]


def false_alarms(asked: Asked) -> Iterator[str]:
    """Every alert whose condition was true of what never happened."""
    for rule in rules():
        if rule["alert"] in NEVER_HAPPENS and len(asked.numbers(rule["expr"])) > 0:
            yield rule["alert"]


def unlike_the_reference(town: Town) -> Iterator[str]:
    """Every family that is not what the reference page says: its kind, its labels, whether it is there."""
    told = {
        f"{name}_total" if one.kind == "counter" else name: one
        for name, one in town.scraped.families.items()
    }
    yield from told.keys() ^ reference().keys()
    for name, family in told.items():
        expected = reference()[name]
        labels = {tuple(sorted(one)) for one in family.labels}
        if name.startswith("trimtab_coordination_") and not labels:
            continue  # the town has one daemon, which shares with nobody
        if labels != {tuple(sorted(expected.labels))} and name not in NOT_SEEN_IN_THE_TOWN:
            yield f"{name} has {labels}"
        if family.kind != expected.kind:
            yield f"{name} is a {family.kind}"


@pytest.mark.slow
def test_what_happened_shows_on_every_dashboard_and_in_every_rule_and_nothing_else_does(
    asked: Asked, town: Town
) -> None:
    assert list(unlike_the_reference(town)) == []
    assert list(silent_queries(asked, town)) == []
    assert list(silent_rules(asked)) == []
    assert list(false_alarms(asked)) == []
    # The judges judge.
    assert asked.numbers("trimtab_nobody_has_this") == []
    assert asked.numbers("trimtab_leader * NaN") == []
