"""Policy tests: what they are told, what they see, and what they say when it is not what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from trimtab.policy.schema import policy_schema, schema_text
from trimtab.policy.testing import PolicyTestFile, PolicyTestResult, read_policy_tests, run_test

REPOSITORY = Path(__file__).parents[3]

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    load: {source: gateway, query: rps, maxAge: 90s}
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: load, target: 10}}
  behavior:
    scaleUp: {limits: []}
    scaleDown: {stabilization: 0s, limits: []}
"""

HEAD = """\
apiVersion: trimtab.dev/v1
kind: PolicyTest
metadata: {name: it}
spec:
  policies: chat.yaml
"""


def read(folder: Path, spec: str, policy: str = POLICY) -> PolicyTestFile:
    (folder / "chat.yaml").write_text(policy, encoding="utf-8")
    (folder / "test.yaml").write_text(HEAD + spec, encoding="utf-8")
    (file,) = read_policy_tests(folder / "test.yaml")
    return file


def play(folder: Path, spec: str, policy: str = POLICY) -> PolicyTestResult:
    file = read(folder, spec, policy)
    assert [str(one) for one in file.diagnostics] == []
    (case,) = file.tests
    return run_test(case)


def test_replicas_are_ready_after_the_lead_time(tmp_path: Path) -> None:
    result = play(
        tmp_path,
        """\
  deployment: {displayName: chat, replicas: 1, leadTime: 2m30s}
  series: {load: 30x10}
  expect:
    - {at: 0s, verdict: scale-up, desired: 3, current: 1, ready: 1}
    - {between: [1m, 2m], verdict: hold, current: 3, ready: 1}
    - {at: 2m30s, ready: 3}
""",
    )
    assert result.failures == ()


def test_an_expectation_that_is_not_met_comes_with_what_was_decided_and_its_trail(
    tmp_path: Path,
) -> None:
    result = play(
        tmp_path,
        """\
  deployment: {displayName: chat, replicas: 1}
  series: {load: 30x10}
  expect:
    - {at: 1m, verdict: hold}
    - {at: 0s, verdict: scale-up, desired: 4, rule: rate}
    - {between: [0s, 3m], atMost: 3, atLeast: 4}
""",
    )
    first, second = result.failures
    assert (first.line, first.at_seconds) == (10, 0.0)
    assert first.expected == "scale-up, desired 4, rule rate"
    assert first.actual == "scale-up, desired 3, current 1, ready 1, reason demand, rule rate"
    assert first.decision is not None
    assert [step.stage for step in first.decision.trail][:2] == ["freshness", "propose"]
    assert (second.line, second.expected) == (11, "desired ≥ 4, desired ≤ 3")


def test_a_gap_ages_and_stale_ends_at_once(tmp_path: Path) -> None:
    deployment = "  deployment: {displayName: chat, replicas: 3}\n"
    aging = """\
  series: {load: 30 _x5}
  expect:
    - {at: 1m, verdict: hold, reason: steady}
    - {at: 2m, verdict: hold, reason: missing_data}
"""
    ended = """\
  series: {load: 30 stale}
  expect: [{at: 1m, verdict: hold, reason: missing_data}]
"""
    assert play(tmp_path, deployment + aging).failures == ()
    assert play(tmp_path, deployment + ended).failures == ()


def test_what_others_do_happens_when_the_test_says(tmp_path: Path) -> None:
    result = play(
        tmp_path,
        """\
  deployment: {displayName: chat, replicas: 1, max: 10, leadTime: 0s}
  series: {load: 10x2 50x20}
  events:
    - {at: 2m, state: UPDATING}
    - {at: 5m, state: READY}
    - {at: 8m, min: 1, max: 4}
    - {at: 12m, expiresAfter: 13m}
    - {at: 15m, deleted: true}
  expect:
    - {between: [3m, 4m], verdict: hold, desired: 1, reason: updating}
    - {at: 5m, verdict: scale-up, desired: 5, reason: demand}
    - {at: 8m, desired: 4}
    - {at: 14m, verdict: hold, reason: expired}
""",
    )
    assert result.failures == ()


def test_nothing_is_decided_for_a_deployment_that_is_gone(tmp_path: Path) -> None:
    result = play(
        tmp_path,
        """\
  deployment: {displayName: chat, replicas: 1}
  events: [{at: 1m, deleted: true}]
  expect: [{at: 2m, verdict: hold}]
""",
    )
    (failure,) = result.failures
    assert failure.actual == "no decision: the deployment does not exist then"


def test_a_deployment_of_replicas_ordered_and_cancelled_never_miscounts(tmp_path: Path) -> None:
    result = play(
        tmp_path,
        """\
  deployment: {displayName: chat, replicas: 2, min: 1, leadTime: 3m}
  series: {load: 60 20 20 60x9}
  expect:
    - {at: 0s, desired: 6, ready: 2}
    - {at: 1m, verdict: scale-down, desired: 2, ready: 2}
    - {at: 3m, verdict: scale-up, desired: 6, ready: 2}
    # Those cancelled never came; those ordered at 3m are there at 6m.
    - {between: [4m, 5m], current: 6, ready: 2}
    - {at: 6m, current: 6, ready: 6}
""",
    )
    assert result.failures == ()


GOOD = """\
  deployment: {displayName: chat, replicas: 1}
  series: {load: 30x10}
  expect: [{at: 1m, verdict: hold}]
"""


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "hint"),
    [
        ("policies: chat.yaml", "policies: caht.yaml", "POL503", "5:13", "`trimtab check`"),
        ("displayName: chat", "displayName: code", "POL504", "6:3", "displayName"),
        ("{load:", "{laod:", "POL505", "7:12", "did you mean `load`?"),
        ("verdict: hold}", "rule: rats}", "POL506", "8:27", "did you mean `rate`?"),
        ("verdict: hold}", "verdict: holds}", "POL203", "8:30", "did you mean `hold`?"),
        ("verdict: hold}", "reason: steadily}", "POL203", "8:29", "did you mean `steady`?"),
        ("30x10", "30y10", "POL299", "7:18", ""),
        ("at: 1m,", "at: 1,", "POL204", "8:17", "`1s`, `1m` or `1h`"),
        ("at: 1m,", "between: [2m, 1m],", "POL299", "8:12", ""),
        ("at: 1m, verdict: hold", "at: 1m", "POL206", "8:12", ""),
        ("replicas: 1}", "replica: 1}", "POL104", "6:35", "did you mean `replicas`?"),
        ("replicas: 1}", "replicas: 1, min: 3, max: 2}", "POL299", "6:15", ""),
        (
            "  series:",
            "  timezone: Europa/Berlin\n  series:",
            "POL208",
            "7:13",
            "did you mean `Europe/Berlin`?",
        ),
        ("  series:", "  start: yesterday\n  series:", "POL210", "7:10", "2026-12-24T18:00"),
        (
            "  series:",
            "  events: [{at: 1m, deployment: accounts/a/deployments/b, state: READY}]\n  series:",
            "POL507",
            "7:33",
            "",
        ),
    ],
)
def test_a_mistake_has_its_code_its_place_and_a_hint(
    tmp_path: Path, old: str, new: str, code: str, place: str, hint: str
) -> None:
    (tmp_path / "chat.yaml").write_text(POLICY, encoding="utf-8")
    text = HEAD + GOOD
    assert text.count(old) == 1
    (tmp_path / "test.yaml").write_text(text.replace(old, new), encoding="utf-8")
    (file,) = read_policy_tests(tmp_path / "test.yaml")
    found = [(one.code.id, f"{one.line}:{one.column}") for one in file.diagnostics]
    assert (code, place) in found, file.diagnostics
    assert hint in " ".join(one.hint for one in file.diagnostics)
    assert not file.is_valid


def test_names_are_told_apart(tmp_path: Path) -> None:
    file = read(tmp_path, f"{GOOD}---\n{HEAD}{GOOD}")
    assert [one.code.id for one in file.diagnostics] == ["POL502"]


def test_a_path_without_tests_is_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(POLICY, encoding="utf-8")
    for path in (tmp_path, tmp_path / "chat.yaml"):
        (file,) = read_policy_tests(path)
        assert [one.code.id for one in file.diagnostics] == ["POL501"]
    (file,) = read_policy_tests(tmp_path / "nowhere")
    assert [one.code.id for one in file.diagnostics] == ["POL001"]


def test_tests_are_found_in_every_folder_and_beside_policies(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "chat.yaml").write_text(f"{POLICY}---\n{HEAD}{GOOD}", encoding="utf-8")
    text = (HEAD + GOOD).replace("policies: chat", "policies: ../chat")
    (tmp_path / "tests" / "chat.yaml").write_text(text, encoding="utf-8")
    files = read_policy_tests(tmp_path)
    assert [len(file.tests) for file in files] == [1, 1]
    assert [one for file in files for one in file.diagnostics] == []


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = REPOSITORY / "policies" / "schema" / "policytest.schema.json"
    assert committed.read_text(encoding="utf-8") == schema_text("policytest"), (
        "run: trimtab schema --out policies/schema"
    )


@pytest.mark.parametrize("path", sorted((REPOSITORY / "policies" / "tests").glob("*.yaml")))
def test_the_schema_takes_the_shipped_tests(path: Path) -> None:
    from trimtab.policy.diagnostics import FileText, Findings
    from trimtab.policy.yaml_nodes import read_nodes

    def plain(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: plain(value) for key, value in data.items()}
        return [plain(one) for one in data] if isinstance(data, tuple) else data

    validator = jsonschema_rs.validator_for(policy_schema("policytest"))
    roots = read_nodes(Findings(FileText("", path.read_text(encoding="utf-8"))))
    assert roots
    for root in roots:
        assert [error.message for error in validator.iter_errors(plain(root.data))] == []
