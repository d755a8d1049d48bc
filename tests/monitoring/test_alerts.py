"""Every alert fires when it should, stays quiet when it should, and resolves: judged by promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.monitoring.alert_cases import CASES, Case
from tests.monitoring.bundle import (
    ALERTS,
    DEPLOY,
    RECORDING,
    RUNBOOKS,
    reference,
    rules,
)
from tests.servers.process import binary

PROMETHEUS_EXAMPLE = DEPLOY / "prometheus" / "prometheus.yaml"
ALERTMANAGER_EXAMPLE = DEPLOY / "prometheus" / "alertmanager.yaml"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own commands
        [str(one) for one in command], capture_output=True, text=True, check=False, timeout=60
    )


def rule_of(case: Case) -> dict[str, Any]:
    found = [
        one
        for one in rules()
        if one["alert"] == case.alert and one["labels"]["severity"] == case.severity
    ]
    assert len(found) == 1, found
    return dict(found[0])


def as_promtool_has_it(case: Case) -> dict[str, Any]:
    rule = rule_of(case)
    expected = {
        "exp_labels": {**case.labels, "severity": case.severity},
        "exp_annotations": {**rule["annotations"], "description": case.description},
    }
    looks = [
        *({"eval_time": at, "alertname": case.alert, "exp_alerts": []} for at in case.quiet_at),
        {"eval_time": case.fires_at, "alertname": case.alert, "exp_alerts": [expected]},
    ]
    return {
        "rule_files": [str(RECORDING), str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": case.id,
                "interval": "1m",
                "input_series": [
                    {"series": series, "values": values} for series, values in case.series.items()
                ],
                "alert_rule_test": looks,
            }
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_fires_stays_quiet_and_resolves(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(as_promtool_has_it(case)), encoding="utf-8")
    judged = run(binary("promtool"), "test", "rules", file)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_has_such_a_case_that_ends_quiet() -> None:
    assert {(one.alert, one.severity) for one in CASES} == {
        (one["alert"], one["labels"]["severity"]) for one in rules()
    }
    for case in CASES:
        minutes = [int(at.removesuffix("m")) for at in (*case.quiet_at, case.fires_at)]
        assert min(minutes[:-1]) < minutes[-1] < max(minutes[:-1]), case.id


def test_promtool_has_nothing_against_the_rules() -> None:
    checked = run(binary("promtool"), "check", "rules", "--lint-fatal", RECORDING, ALERTS)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout


def test_every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on() -> None:
    for rule in rules():
        assert re.fullmatch(r"Trimtab([A-Z][a-z]+)+", rule["alert"])
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert "$" not in rule["annotations"]["summary"], "equal alerts group by it"
        assert rule["annotations"]["summary"].endswith(".")
        page = rule["annotations"]["runbook_url"].rpartition("/")[2]
        assert page == f"{rule['alert']}.md"
        assert (RUNBOOKS / page).is_file(), page
        assert rule["for"]


def test_every_metric_in_the_rules_is_one_that_the_daemon_has() -> None:
    exprs = " ".join(rule["expr"] for rule in (*rules(), *rules(RECORDING)))
    recorded = {rule["record"] for rule in rules(RECORDING)}
    known = {*reference(), *(f"{name}_bucket" for name in reference())}
    named = set(re.findall(r"[\w:]*trimtab_[\w:]+", exprs))
    assert named - known - recorded == set()
    assert recorded - named == {
        "pool:trimtab_fleet_quota_used:ratio",
        "deployment:trimtab_strategy_attained:ratio",
    }, "recorded for nobody; these two are worth keeping for longer than raw series"


def test_the_examples_for_prometheus_and_alertmanager_are_sound(tmp_path: Path) -> None:
    text = PROMETHEUS_EXAMPLE.read_text(encoding="utf-8")
    here = tmp_path / "prometheus.yaml"
    here.write_text(text.replace("/etc/prometheus/", f"{ALERTS.parent}/"), encoding="utf-8")
    checked = run(binary("promtool"), "check", "config", here)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 rule files found" in checked.stdout
    content = yaml.safe_load(text)
    (scrape,) = content["scrape_configs"]
    assert scrape["metrics_path"] == "/metrics"
    checked = run(binary("amtool"), "check-config", ALERTMANAGER_EXAMPLE)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for severity, receiver in (("critical", "pager"), ("warning", "tickets")):
        routed = run(
            binary("amtool"),
            *("config", "routes", "test", "--config.file", str(ALERTMANAGER_EXAMPLE)),
            *("alertname=TrimtabNoLeader", f"severity={severity}"),
        )
        assert routed.stdout.strip() == receiver
