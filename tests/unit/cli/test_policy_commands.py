"""``trimtab check``, ``test``, ``explain`` and ``schema``: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

POLICIES = Path(__file__).parents[3] / "policies"
SMALL = POLICIES / "chat-small.yaml"
TRACKED = POLICIES / "examples" / "target-tracking.yaml"
TYPO = ("attainment: 0.99", "atainment: 0.99")


@pytest.fixture
def typo(tmp_path: Path) -> Path:
    path = tmp_path / "typo.yaml"
    path.write_text(SMALL.read_text(encoding="utf-8").replace(*TYPO), encoding="utf-8")
    return path


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    (tmp_path / "good.yaml").write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


# -- check -------------------------------------------------------------------------------------


def test_check_is_silent_about_what_is_right(trimtab: Any) -> None:
    result = trimtab("check", POLICIES, POLICIES / "examples", POLICIES / "tests")
    assert (result.exit_code, result.stdout) == (0, "no findings\n")


def test_check_shows_a_mistake_with_its_place_and_a_hint(trimtab: Any, typo: Path) -> None:
    result = trimtab("check", typo)
    assert result.exit_code == 1
    assert f"{typo}:44:9: error POL104: `atainment` is not a key" in result.stdout
    assert "hint: did you mean `attainment`?" in result.stdout
    assert "1 error in 1 file" in result.stdout


def test_check_speaks_json_and_annotations(trimtab: Any, typo: Path) -> None:
    found = json.loads(trimtab("check", typo, "--format", "json").stdout)
    assert (found["errors"], found["diagnostics"][0]["code"]) == (1, "POL104")
    annotated = trimtab("check", typo, "--format", "github").stdout
    assert annotated.startswith(f"::error file={typo},line=44,col=9,")


def test_check_speaks_sarif(trimtab: Any, typo: Path) -> None:
    result = trimtab("check", typo, "--format", "sarif")
    document = json.loads(result.stdout)
    assert document["version"] == "2.1.0"
    assert [one["ruleId"] for one in document["runs"][0]["results"]] == ["POL104"]
    assert result.exit_code == 1


def test_a_warning_fails_only_a_strict_check(trimtab: Any, warned: Path) -> None:
    assert trimtab("check", warned).exit_code == 0
    result = trimtab("check", "--strict", warned)
    assert result.exit_code == 1
    assert "warning POL404" in result.stdout


def test_check_finds_mistakes_in_policy_tests_too(trimtab: Any, warned: Path) -> None:
    (warned / "tests").mkdir()
    test = (POLICIES / "tests" / "code.yaml").read_text(encoding="utf-8")
    (warned / "tests" / "code.yaml").write_text(test, encoding="utf-8")
    result = trimtab("check", warned)
    assert result.exit_code == 1
    assert "POL503" in result.stdout


def test_check_knows_the_sources_that_it_is_told_of(trimtab: Any, tmp_path: Path) -> None:
    text = SMALL.read_text(encoding="utf-8").replace("source: fireworks", "source: gateway")
    (tmp_path / "chat.yaml").write_text(text, encoding="utf-8")
    assert "POL305" in trimtab("check", tmp_path).stdout
    assert trimtab("check", tmp_path, "--source", "gateway").exit_code == 0


def test_a_path_that_is_not_there_or_a_wrong_option_is_a_usage_error(
    trimtab: Any, tmp_path: Path
) -> None:
    assert trimtab("check", tmp_path / "nowhere").exit_code == 2
    assert trimtab("check").exit_code == 2
    assert trimtab("check", SMALL, "--format", "xml").exit_code == 2


def test_a_directory_without_anything_to_check_is_a_finding(trimtab: Any, tmp_path: Path) -> None:
    result = trimtab("check", tmp_path)
    assert result.exit_code == 1
    assert "POL002" in result.stdout


# -- test --------------------------------------------------------------------------------------


def test_test_names_each_test_and_how_it_went(trimtab: Any) -> None:
    result = trimtab("test", POLICIES / "tests" / "code.yaml")
    assert result.exit_code == 0
    first, last = result.stdout.splitlines()
    assert first.startswith(
        f"ok      {POLICIES}/tests/code.yaml: two-are-ready-for-bursts (34 decisions, "
    )
    assert last.startswith("1 test, 0 failed, ")


@pytest.fixture
def wrong_expectation(tmp_path: Path) -> Path:
    text = (POLICIES / "tests" / "code.yaml").read_text(encoding="utf-8")
    text = text.replace("../code.yaml", str(POLICIES / "code.yaml")).replace(
        "desired: 6, rule", "desired: 7, rule"
    )
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_test_shows_what_was_decided_instead_and_why(trimtab: Any, wrong_expectation: Path) -> None:
    result = trimtab("test", wrong_expectation)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[1] == f"{wrong_expectation}:16: at 11m"
    assert lines[2] == "expected  scale-up, desired 7, rule capacity"
    assert lines[3].startswith("actual    scale-up, desired 6, current 2, ready 2, reason demand")
    assert [line.split()[0] for line in lines[4:-1]] == [
        "freshness",
        "propose",
        "propose",
        "combine",
        "lifecycle",
        "behavior",
        "bounds",
    ]
    assert lines[-1].startswith("1 test, 1 failed, ")


def test_test_speaks_json(trimtab: Any, wrong_expectation: Path) -> None:
    document = json.loads(trimtab("test", "--json", wrong_expectation).stdout)
    assert document["failed"] == 1
    (failure,) = document["tests"][0]["failures"]
    assert (failure["line"], failure["at_seconds"]) == (16, 660.0)
    assert failure["decision"]["trail"][0]["stage"] == "freshness"


def test_test_runs_only_the_tests_that_are_named(trimtab: Any) -> None:
    result = trimtab("test", POLICIES, "--only", "summer-*")
    assert result.stdout.splitlines()[-1].startswith("1 test, 0 failed")
    assert trimtab("test", POLICIES, "--only", "winter-*").exit_code == 2


def test_a_run_of_no_tests_is_no_success(trimtab: Any) -> None:
    result = trimtab("test", SMALL)
    assert result.exit_code == 1
    assert "POL501" in result.stderr


# -- explain -----------------------------------------------------------------------------------


def test_explain_prints_the_sentence_the_write_and_every_step(trimtab: Any) -> None:
    result = trimtab(
        "explain", "--policy", TRACKED, "--deployment", "replicas=4", "--signal", "requests=100"
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("scale up 4 → 7: requests 100 in all, target 15 a replica")
    assert "writes      minReplicaCount 7, maxReplicaCount 7" in lines
    assert any("signal      concurrency          missing" in line for line in lines)
    assert lines[-1].startswith("bounds     7")


def test_explain_answers_for_a_load_that_has_lasted_unless_it_is_told_otherwise(
    trimtab: Any,
) -> None:
    what = ("explain", "--policy", TRACKED, "--deployment", "replicas=8")
    load = ("--signal", "requests=20", "--signal", "concurrency=5")
    assert "scale down 8 → 4" in trimtab(*what, *load).stdout
    assert "[stabilizing]" in trimtab(*what, *load, "--after", "0s").stdout


def test_explain_says_how_a_rule_that_learns_comes_to_its_count(trimtab: Any) -> None:
    what = ("explain", "--policy", SMALL, "--deployment", "replicas=4", "--signal", "requests=100")
    lines = trimtab(*what).stdout.splitlines()
    assert "need 4.76 in 5 min: 4.76 now, spare " in lines[0]
    assert "a replica carries 21 requests/s" in lines[0]
    assert any(line.startswith("propose    4") and "price" in line for line in lines)


def test_explain_takes_a_deployment_as_the_api_returns_it(trimtab: Any, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(
        json.dumps(
            {
                "name": "accounts/acme/deployments/x",
                "displayName": "chat-70b-eu",
                "state": "READY",
                "minReplicaCount": 2,
                "maxReplicaCount": 6,
                "desiredReplicaCount": 3,
                "replicaCount": 3,
                "replicaStats": {"readyReplicaCount": 3},
                "acceleratorType": "NVIDIA_H100_80GB",
                "acceleratorCount": 4,
            }
        ),
        encoding="utf-8",
    )
    what = ("explain", "--policy", POLICIES, "--deployment", path, "--signal", "requests=30")
    document = json.loads(trimtab(*what, "--json").stdout)
    assert (document["policy"], document["current"], document["desired"]) == ("chat-large", 3, 5)
    assert document["bounds"]["upper"] == {
        "replicas": 6,
        "set_by": "the deployment's own maximum",
    }
    updating = json.loads(trimtab(*what, "--deployment", "state=UPDATING", "--json").stdout)
    assert (updating["verdict"], updating["reason"]) == ("hold", "updating")


def test_explain_asks_at_a_local_time(trimtab: Any) -> None:
    what = ("explain", "--policy", POLICIES / "examples" / "office-hours.yaml", "--after", "0s")
    monday = ("--at", "2026-03-02T06:50", "--signal", "requests=1")
    # 6:50 UTC is 7:50 in Berlin, where the working day has begun by then.
    assert "scale up 1 → 4" in trimtab(*what, *monday).stdout
    assert "hold at 1" in trimtab(*what, *monday, "--timezone", "Europe/Berlin").stdout
    with_offset = ("--at", "2026-03-02T07:50+01:00", "--signal", "requests=1")
    assert "scale up 1 → 4" in trimtab(*what, *with_offset).stdout


def test_explain_says_when_no_policy_is_for_the_deployment(trimtab: Any) -> None:
    result = trimtab("explain", "--policy", SMALL, "--deployment", "displayName=other")
    assert result.exit_code == 1
    assert "no policy matches accounts/test/deployments/under-test" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--signal", "request=1", "did you mean `requests`?"),
        ("--signal", "requests", "NAME=VALUE"),
        ("--signal", "requests=-1", "NAME=VALUE"),
        ("--signal", "requests=1@90", "say which unit"),
        ("--deployment", "replica=3", "did you mean `replicas`?"),
        ("--deployment", "state=REDY", "did you mean `READY`?"),
        ("--deployment", "nowhere.json", "give a file or KEY=VALUE"),
        ("--at", "tomorrow", "2026-03-02T07:30"),
        ("--timezone", "Berlin", "Europe/Berlin"),
        ("--after", "60", "say which unit"),
    ],
)
def test_explain_says_what_is_wrong_with_the_command_line(
    trimtab: Any, option: str, value: str, remedy: str
) -> None:
    result = trimtab("explain", "--policy", SMALL, option, value)
    assert result.exit_code == 2
    assert remedy in " ".join(result.stderr.replace("│", " ").split())


# -- schema ------------------------------------------------------------------------------------


def test_schema_prints_one_and_writes_all(trimtab: Any, tmp_path: Path) -> None:
    printed = json.loads(trimtab("schema").stdout)
    assert printed["title"] == "trimtab policy"
    assert json.loads(trimtab("schema", "--kind", "policytest").stdout)["title"] == (
        "trimtab policy test"
    )
    assert trimtab("schema", "--out", tmp_path / "new").exit_code == 0
    written = (tmp_path / "new" / "policy.schema.json").read_text(encoding="utf-8")
    assert json.loads(written) == printed
    (tmp_path / "file").touch()
    assert trimtab("schema", "--out", tmp_path / "file").exit_code == 1


# -- policies ----------------------------------------------------------------------------------


def test_policies_lists_what_the_daemon_would_run(trimtab: Any) -> None:
    result = trimtab("policies", POLICIES)
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.split()[:3] == ["policy", "for", "mode"]
    assert [row.split()[0] for row in rows] == ["chat-large", "chat-small", "code"]


def test_policies_says_where_each_value_comes_from(trimtab: Any) -> None:
    lines = trimtab("policies", SMALL, "--values").stdout.splitlines()
    values = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert values["bounds.max"] == ["12", f"{SMALL}:16"]
    assert values["mode"] == ["enforce", "default"]
    window = values["behavior.scaleDown.stabilization"]
    assert window == ["0s", "strategy", "capacity"]


def test_policies_for_a_deployment_shows_its_bounds_and_who_set_them(trimtab: Any) -> None:
    mine = ("displayName=chat-70b", "replicas=2", "min=1", "max=6", "acceleratorsPerReplica=4")
    options = [word for field in mine for word in ("--deployment", field)]
    document = json.loads(trimtab("policies", POLICIES, *options, "--json").stdout)
    (policy,) = document["policies"]
    assert policy["name"] == "chat-large"
    assert policy["bounds"]["upper"] == {"replicas": 6, "set_by": "the deployment's own maximum"}
    assert "effective upper bound" in trimtab("policies", POLICIES, *options).stdout
    result = trimtab(
        "policies", POLICIES, "--deployment", "displayName=x", "--deployment", "replicas=1"
    )
    assert result.exit_code == 1
    assert "trimtab would leave it alone" in result.stderr


def test_policies_shows_what_is_wrong_instead_of_half_a_list(trimtab: Any, typo: Path) -> None:
    result = trimtab("policies", typo)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "POL104" in result.stderr


# -- fleets and groups -------------------------------------------------------------------------

FLEET = POLICIES / "examples" / "fleet.yaml"


@pytest.fixture
def with_fleet(tmp_path: Path) -> Path:
    for path in (SMALL, FLEET, FLEET.with_name("group.yaml")):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


def test_policies_lists_what_is_ordered_for_the_whole_fleet(trimtab: Any, with_fleet: Path) -> None:
    result = trimtab("policies", with_fleet)
    assert result.exit_code == 0
    listed = [line.split()[:2] for line in result.stdout.splitlines() if line]
    assert listed[-3:] == [["kind", "name"], ["Fleet", "fleet"], ["Group", GROUP_NAME]]
    assert "1 quota, 1 price, 2 limits, 2 teams, defaults" in result.stdout


GROUP_NAME = "chat-on-two-kinds-of-hardware"


def test_policies_says_where_each_value_of_the_fleet_comes_from(
    trimtab: Any, with_fleet: Path
) -> None:
    document = json.loads(trimtab("policies", with_fleet, "--json").stdout)
    values = {one["key"]: (one["value"], one["origin"]) for one in document["fleet"]["values"]}
    fleet = with_fleet / "fleet.yaml"
    assert values["quotas.NVIDIA_H100_80GB"] == (16, f"{fleet}:14")
    assert values["hold"] == ("30m", "default")
    assert values["prices.NVIDIA_H100_80GB"] == (7.0, f"{fleet}:17")
    assert "recorded on 2026-05-08" in values["prices.NVIDIA_B200_180GB"][1]
    assert values["teams.batch.priority"][0] == 50
    (group,) = document["groups"]
    shares = {one["key"]: (one["value"], one["origin"]) for one in group["values"]}
    assert shares["members.chat-h200.requestsPerSecond"] == (None, "learned")
    table = trimtab("policies", with_fleet, "--values").stdout
    assert all(key in table for key in (*values, *shares))


def test_policies_says_which_values_a_policy_inherits_and_from_where(
    trimtab: Any, with_fleet: Path
) -> None:
    document = json.loads(trimtab("policies", with_fleet, "--json").stdout)
    values = {one["key"]: one for one in document["policies"][0]["values"]}
    assert values["outOfBand.grace"]["value"] == "5m"
    assert values["outOfBand.grace"]["origin"] == f"{with_fleet / 'fleet.yaml'}:33 (fleet)"


def test_policies_says_whose_a_deployment_is_and_what_the_quotas_leave_it(
    trimtab: Any, with_fleet: Path
) -> None:
    fields = (
        "displayName=chat-8b",
        "replicas=2",
        "max=40",
        "acceleratorType=NVIDIA_H100_80GB",
        "acceleratorsPerReplica=8",
    )
    options = [word for field in fields for word in ("--deployment", field)]
    lines = trimtab("policies", with_fleet, *options).stdout.splitlines()
    found = {cells(line)[0]: [cell.strip() for cell in cells(line)[1:]] for line in lines if line}
    fleet = with_fleet / "fleet.yaml"
    assert found["team"] == ["chat", f"{fleet}:22"]
    assert found["dollars a replica-hour"] == ["56.00", f"{fleet}:17"]
    upper = found["effective upper bound"]
    assert upper[0] == "2"
    assert "quota NVIDIA_H100_80GB 16" in upper[1]


def test_explain_counts_the_fleet_in(trimtab: Any, with_fleet: Path) -> None:
    fields = (
        "displayName=chat-8b",
        "replicas=1",
        "max=40",
        "acceleratorType=NVIDIA_H100_80GB",
        "acceleratorsPerReplica=8",
    )
    options = [word for field in fields for word in ("--deployment", field)]
    signals = ("--signal", "requests=500", "--signal", "concurrency=400")
    shown = trimtab("explain", "--policy", with_fleet, *options, *signals).stdout
    assert "quota NVIDIA_H100_80GB 16, 8 a replica" in shown


def test_check_finds_mistakes_in_fleets(trimtab: Any, with_fleet: Path) -> None:
    fleet = with_fleet / "fleet.yaml"
    text = fleet.read_text(encoding="utf-8").replace("weight: 4 ", "weight: 0 ")
    fleet.write_text(text, encoding="utf-8")
    result = trimtab("check", with_fleet)
    assert result.exit_code == 1
    assert f"{fleet}:24:15: error POL202: `spec.teams[0].weight` is `0`" in result.stdout


def test_check_reads_all_paths_as_one_set(trimtab: Any, tmp_path: Path) -> None:
    policies, orders = tmp_path / "policies", tmp_path / "orders"
    policies.mkdir()
    orders.mkdir()
    text = TRACKED.read_text(encoding="utf-8")
    (policies / "tracked.yaml").write_text(f"{text.rstrip()}\n  priority: 200\n", encoding="utf-8")
    (orders / "fleet.yaml").write_text(FLEET.read_text(encoding="utf-8"), encoding="utf-8")
    alone = trimtab("check", policies)
    assert "`spec.priority` has no effect: without a Fleet nothing is shared" in alone.stdout
    assert trimtab("check", policies, orders).stdout == "no findings\n"
    more = orders / "more.yaml"
    more.write_text(
        "apiVersion: trimtab.dev/v1\nkind: Fleet\nmetadata: {name: fleet}\nspec: {patience: 5m}\n",
        encoding="utf-8",
    )
    twice = trimtab("check", policies, orders / "fleet.yaml", more)
    assert twice.exit_code == 1
    assert f"the name `fleet` of a Fleet is said in {orders / 'fleet.yaml'}" in twice.stdout
