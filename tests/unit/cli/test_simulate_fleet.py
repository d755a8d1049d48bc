"""``trimtab simulate`` with a Fleet, Groups or a load for each: what is planned, what comes of it, what is refused."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.simulation_command import Asked, plan_together
from trimtab.cli.simulation_fleet import ALL, ALONE, TOGETHER, FleetJob
from trimtab.cli.simulation_fleet_command import is_fleet
from trimtab.cli.simulation_runs import Ran, run_jobs
from trimtab.simulation.fleet_findings import FleetRun
from trimtab.simulation.report.study import Result, Role

H100, A100 = "NVIDIA_H100_80GB", "NVIDIA_A100_80GB"
POLICIES = Path(__file__).parents[3] / "policies"

FLEET = f"""\
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {{name: acme}}
spec:
  quotas:
    - {{accelerator: {H100}, max: 10}}
  prices: {{{H100}: 7.0, {A100}: 4.0}}
  teams:
    - name: chat
      deployments: {{names: ["chat-*"]}}
      priority: 200
    - name: batch
      deployments: {{annotations: {{team: batch}}}}
"""
BUDGETS = "  spend: {day: {usd: 60}, month: {usd: 1000}}\n"
PREEMPTING = "  preemption: lower-priority\n"
GROUP = """\
apiVersion: trimtab.dev/v1
kind: Group
metadata: {name: chat}
spec:
  members:
    - {deployment: accounts/acme/deployments/chat-h100, requestsPerSecond: 22}
    - {deployment: accounts/acme/deployments/chat-a100, requestsPerSecond: 7}
"""
POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: NAME}
spec:
  deployments: {match: {displayName: "PATTERN"}}
  bounds: {min: 1, max: 12}
  signals:
    rate: {source: prometheus, query: requests_per_second, maxAge: 5m}
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: rate, target: 18}}
"""


def policy(name: str, pattern: str = "") -> str:
    return POLICY.replace("NAME", name).replace("PATTERN", pattern or name)


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def planned(**asked: Any) -> FleetJob:
    """The first job of what is asked for, all of whose jobs have the same deployments."""
    jobs = plan_together(Asked(**asked))
    assert len({job.members for job in jobs}) == 1
    return jobs[0]


# -- what is planned ---------------------------------------------------------------------------


def test_a_fleet_among_the_policies_makes_them_run_together(tmp_path: Path) -> None:
    path = folder(tmp_path, fleet=FLEET, chat=policy("chat-eu"), batch=policy("batch"))
    assert is_fleet(Asked(policies=[path]))
    job = planned(policies=[path])
    assert [(one.title, one.policy, one.load_name) for one in job.members] == [
        ("batch", "batch", "day"),
        ("chat-eu", "chat-eu", "day"),
    ]
    assert {one.load.scale_to_mean for one in job.members} == {0.35 * 12}


def test_policies_alone_are_compared_on_one_load_as_ever(tmp_path: Path) -> None:
    path = folder(tmp_path, chat=policy("chat-eu"))
    assert not is_fleet(Asked(policies=[path]))
    assert not is_fleet(Asked())
    assert not is_fleet(Asked(policies=[POLICIES]))


def test_the_fleet_is_run_with_its_files_and_without_and_with_the_peers_asked_for(
    tmp_path: Path,
) -> None:
    path = folder(tmp_path, fleet=FLEET, chat=policy("chat-eu"))
    jobs = plan_together(Asked(policies=[path], peers=["modal"], seeds=2))
    assert [(job.contender.name, job.seed) for job in jobs] == [
        (name, seed) for name in (TOGETHER, "modal", ALONE) for seed in (1, 2)
    ]
    assert [job.contender.role for job in jobs[::2]] == [Role.POLICY, Role.PEER, Role.REFERENCE]
    without = plan_together(Asked(loads=["chat=day@3"]))
    assert [job.contender.name for job in without] == [TOGETHER]


def test_every_deployment_has_its_load_its_hardware_and_its_traits(tmp_path: Path) -> None:
    trace = tmp_path / "eu.csv"
    rows = "".join(f"{60 * n},600,600000,120000\n" for n in range(60))
    trace.write_text(f"t_s,requests,prompt_tokens,output_tokens\n{rows}")
    path = folder(tmp_path, fleet=FLEET, chat=policy("chat", "chat-*"), batch=policy("batch"))
    job = planned(
        policies=[path], loads=[f"chat-eu={trace}", "chat-us=flat@3", "batch=step"],
        preset=["8b-a100", "batch=70b-4xh100"], lead="1m",
        traits=["batch=team:batch", "batch=region:EU_FRANKFURT_1", "batch=model:big"],
    )  # fmt: skip
    eu, us, batch = job.members
    assert (eu.policy, us.policy, batch.policy) == ("chat", "chat", "batch")
    assert (eu.load.scale_to_mean, us.load.scale_to_mean) == (None, 3.0)
    assert (eu.accelerator_type, batch.accelerator_type) == (A100, H100)
    assert batch.preset.accelerators_per_replica == 4
    assert {one.preset.start_times.lead_time_seconds for one in job.members} == {60.0}
    assert batch.traits == ("EU_FRANKFURT_1", "big", (("team", "batch"),))


def test_a_group_gives_all_its_members_which_share_its_load(tmp_path: Path) -> None:
    path = folder(tmp_path, group=GROUP, chat=policy("any", "chat-*"), batch=policy("batch"))
    by_default = planned(policies=[path])
    assert [one.title for one in by_default.members] == ["chat-h100", "chat-a100", "batch"]
    job = planned(
        policies=[path], loads=["chat=day@4", "batch=flat@1"], preset=["chat-a100=8b-a100"]
    )
    h100, a100, batch = job.members
    assert h100.name == "accounts/acme/deployments/chat-h100"
    assert (h100.group, a100.group, batch.group) == ("chat", "chat", "")
    assert h100.load == a100.load
    assert a100.sized_by == h100.preset, "one load has one size"


def test_the_run_begins_when_it_is_told_to() -> None:
    assert planned(loads=["chat=flat@1"], start="2026-01-31").started_at == 1_769_817_600.0
    assert planned(loads=["chat=flat@1"], start="2026-01-31T02:00+02:00").started_at == (
        1_769_817_600.0
    )


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--load", "chta-eu=day"], "no policy selects a deployment 'chta-eu'"),
        (["--load", "chta-eu=day"], "did you mean chat-eu?"),
        (["--load", "chat-eu"], "--load 'chat-eu' is not NAME=LOAD; write it as in chat=load.csv"),
        (["--load", "chat-eu=dya"], "no made-up load is called so; did you mean day?"),
        (["--load", "chat-eu=load.csv"], "there is no file load.csv"),
        (["--load", "chat-eu=day@much"], "'much' is no mean need; write it as in day@8"),
        (["--load", "chat-eu=day@0"], "'0' is no mean need"),
        (["--load", "chat-eu=day", "--load", "chat-eu=step"], "chat-eu is given two loads"),
        (["--load", "chat-eu=day", "--workload", "step"], "give --load NAME=step as well"),
        (["--workload", "day", "--workload", "step"], "a fleet runs with one load for all"),
        (["--preset", "chat-us=8b-h100"], "--preset chat-us: no deployment is called so"),
        (["--preset", "chat-eu=8b-h10"], "no preset is called '8b-h10'"),
        (["--preset", "8b-h100", "--preset", "8b-a100"], "are both for all; give NAME=PRESET"),
        (["--trait", "chat-eu=region"], "--trait 'chat-eu=region' is not NAME=KEY:VALUE"),
        (["--trait", "eu=team:chat"], "--trait eu: no deployment is called so"),
        (["--quota", "8"], "of a fleet state spec.quotas in a Fleet"),
        (["--min", "2"], "of a fleet state spec.bounds in its policies"),
        (["--start", "soon"], "--start 'soon' is not a time; write it as in 2026-01-25"),
        (["--start", "1960-01-01"], "is before 1970"),
        (["--peer", "kubernets"], "no peer is called 'kubernets'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_runs(
    trimtab: Any, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    path = folder(tmp_path, fleet=FLEET, chat=policy("chat-eu"))
    result = trimtab("simulate", path, *arguments)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("trimtab simulate: ")


def refused(trimtab: Any, *arguments: object) -> str:
    result = trimtab("simulate", *arguments)
    assert result.exit_code == ExitCode.USAGE, result.output
    said: str = result.stderr
    assert said.count("\n") == 1, "one sentence"
    return said


def test_what_limits_spending_must_have_a_price_for_everybody(trimtab: Any, tmp_path: Path) -> None:
    text = FLEET.replace(f", {A100}: 4.0", "") + BUDGETS
    path = folder(tmp_path, fleet=text)
    arguments = (path, "--load", "chat-eu=day", "--load", "old=day", "--preset", "old=8b-a100")
    said = refused(trimtab, *arguments)
    assert f"there is no price for {A100}, on which old runs, and spending is limited" in said
    assert "state it under spec.prices" in said


def test_accelerators_must_be_known(trimtab: Any, tmp_path: Path) -> None:
    presets = tmp_path / "presets"
    presets.write_text(
        "apiVersion: trimtab.dev/v1\nkind: ServingPreset\nmetadata: {name: mine}\n"
        "spec: {from: 8b-h100, accelerator: NVIDIA_H100_80BG}\n"
    )
    said = refused(trimtab, "--presets", presets, "--preset", "mine", "--load", "chat=day@2")
    assert "preset mine runs on 'NVIDIA_H100_80BG', which is no known type" in said
    assert f"did you mean {H100}?" in said


def test_a_group_without_load_is_refused_and_so_is_half_of_one(
    trimtab: Any, tmp_path: Path
) -> None:
    path = folder(tmp_path, group=GROUP, chat=policy("any", "*"))
    said = refused(trimtab, path, "--load", "batch=day")
    assert "no member of the group chat has load; give --load chat=LOAD" in said
    said = refused(trimtab, path, "--load", "chat-h100=day")
    assert "chat-a100, a member of the group chat, has no load; give --load chat-a100=LOAD" in said
    said = refused(trimtab, path, "--load", "chat=day", "--load", "chat-h100=day")
    assert "chat-h100 is given two loads; give it one" in said
    said = refused(trimtab, path, "--load", "chat=day", "--resolution", "requests")
    assert "divided as a flow; use --resolution fluid" in said


def test_a_deployment_that_two_policies_select_is_refused(trimtab: Any, tmp_path: Path) -> None:
    path = folder(tmp_path, fleet=FLEET, a=policy("one", "c*"), b=policy("two", "*t"))
    assert "chat is selected by one, two; let one policy select it" in refused(
        trimtab, path, "--load", "chat=day"
    )


def test_a_fleet_file_alone_needs_deployments(trimtab: Any, tmp_path: Path) -> None:
    said = refused(trimtab, folder(tmp_path, fleet=FLEET))
    assert "no deployment is named; give --load NAME=LOAD for each, as in chat=day@8" in said


# -- what comes of it --------------------------------------------------------------------------


@lru_cache(maxsize=8)
def ran(path: Path, loads: tuple[str, ...], **asked: Any) -> Ran:
    jobs = plan_together(Asked(policies=[path], loads=loads, **asked))
    found = run_jobs(jobs, processes=1)
    assert found.failures == ()
    return found


def whole(found: Ran, policy_name: str = TOGETHER) -> tuple[Result, FleetRun]:
    (one,) = (one for one in found.results if one.trace == ALL and one.policy == policy_name)
    assert one.fleet is not None
    return one, one.fleet


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two that want eighteen of ten accelerators; what is needed is taken for who comes first."""
    path = folder(
        tmp_path_factory.mktemp("short"),
        fleet=FLEET.replace("priority: 200", "priority: 200\n      weight: 4") + PREEMPTING, chat=policy("chat-eu"), batch=policy("batch"),
    )  # fmt: skip
    return ran(path, ("chat-eu=flat@8", "batch=flat@9"), days=0.06)


def test_the_quota_is_kept_and_who_comes_first_is_not_short(short: Ran) -> None:
    _, fleet = whole(short)
    (use,) = fleet.uses
    assert (use.pool, use.quota, use.is_kept) == (H100, 10, True)
    assert use.total.max() == 10.0
    assert use.full_share is not None
    assert use.full_share > 0.8, "nothing stays free that somebody wants"
    late = {name: float(one[-1]) for name, one in use.held.items()}
    assert late["chat-eu"] > 2 * late["batch"]
    assert fleet.short_of("batch") > 2 * fleet.short_of("chat-eu")
    assert {one.reason for one in fleet.short} <= {"quota", "not_free_yet", "preempted"}


def test_without_the_files_the_platform_keeps_the_quota_and_who_asks_first_has_it(
    short: Ran,
) -> None:
    _, fleet = whole(short, ALONE)
    (use,) = fleet.uses
    assert use.is_kept
    assert {one.reason for one in fleet.short} == {"quota"}
    _, sharing = whole(short)
    assert fleet.short_of("chat-eu") > sharing.short_of("chat-eu")


def test_the_fleet_is_the_sum_of_its_deployments(short: Ran) -> None:
    one, fleet = whole(short)
    parts = [each for each in short.results if each.policy == TOGETHER and each.trace != ALL]
    assert {each.trace for each in parts} == {"chat-eu", "batch"}
    for key in ("replica_hours", "accelerator_hours", "cost_usd", "offered", "missed", "scale_ups"):
        assert one.number(key) == pytest.approx(sum(each.number(key) or 0.0 for each in parts))
    assert one.number("short_replica_hours") == pytest.approx(
        sum(each.number("short_replica_hours") or 0.0 for each in parts)
    )
    (hardware,) = fleet.hardware
    assert hardware.cost_usd == pytest.approx(one.number("cost_usd"))
    assert hardware.cost_usd == pytest.approx(7.0 * hardware.accelerator_hours)
    held = sum(each.timeline.asked for each in parts if each.timeline is not None)
    assert fleet.uses[0].total.tolist() == np.asarray(held).tolist()


def test_deployments_of_two_accounts_that_are_called_alike_are_two(tmp_path: Path) -> None:
    """Taken for one another they were a mean over seeds, and half of what counts against the quota."""
    path = folder(tmp_path, fleet=FLEET)
    names = ("accounts/a/deployments/chat", "accounts/b/deployments/chat")
    loads = (f"{names[0]}=flat@2", f"{names[1]}=flat@5")
    found = ran(path, loads, days=0.02, peers=("none",))
    one, fleet = whole(found)
    parts = [each for each in found.results if each.policy == TOGETHER and each.trace != ALL]
    assert [each.trace for each in parts] == list(names)
    (use,) = fleet.uses
    assert list(use.held) == list(names)
    hours = 0.02 * 24.0
    assert use.total.mean() * hours == pytest.approx(one.number("accelerator_hours"), rel=0.05)


def test_the_bill_of_a_type_is_the_sum_at_each_presets_own_price(
    trimtab: Any, tmp_path: Path
) -> None:
    presets = tmp_path / "presets.yaml"
    presets.write_text(
        "apiVersion: trimtab.dev/v1\nkind: ServingPreset\nmetadata: {name: reserved}\n"
        "spec: {from: 8b-h100, usdPerAcceleratorHour: 2}\n",
        encoding="utf-8",
    )
    result = trimtab(
        "simulate", "--load", "a=flat@2", "--load", "b=flat@4", "--presets", presets,
        "--preset", "b=reserved", "--days", 0.02, "--peer", "none", "--json", "-",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    rows = json.loads(result.stdout)["results"]
    (hardware,) = rows[0]["fleet"]["hardware"]
    assert hardware["cost_usd"] == pytest.approx(rows[0]["cost_usd"])
    assert hardware["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in rows[1:]))
    mean = hardware["cost_usd"] / hardware["accelerator_hours"]
    assert hardware["usd_an_hour"] == pytest.approx(mean)
    assert 2.0 < mean < 7.0


def test_requests_are_the_same_whoever_decides(short: Ran) -> None:
    for name in ("chat-eu", "batch"):
        offered = {one.number("offered") for one in short.results if one.trace == name}
        assert len(offered) == 1


def evening_of_january(tmp_path: Path, spend: str) -> Ran:
    """Six hours, four of January and two of February, of somebody who wants some $42 an hour."""
    text = FLEET + f"  spend: {spend}\n"
    path = folder(tmp_path, fleet=text, chat=policy("chat-eu"))
    return ran(path, ("chat-eu=flat@5",), start="2026-01-31T20:00", days=0.25, peers=("none",))


def test_a_days_budget_falls_smoothly_and_begins_anew_at_midnight(tmp_path: Path) -> None:
    found = evening_of_january(tmp_path, "{day: {usd: 120}}")
    _, fleet = whole(found)
    (limit,) = fleet.limits
    assert limit.is_kept
    held = fleet.uses[0].held["chat-eu"]
    midnight = 4 * 240
    assert held[: midnight - 1].min() <= 4.0, "what is left lasts to the end of the day"
    assert held[midnight + 40 : midnight + 240].max() >= 5.0
    assert {one.reason for one in fleet.short} <= {"spend_limit", "quota"}


def test_a_months_budget_lasts_to_its_end_and_none_of_it_is_left_for_the_next(
    tmp_path: Path,
) -> None:
    found = evening_of_january(tmp_path, "{month: {usd: 60}}")
    _, fleet = whole(found)
    (limit,) = fleet.limits
    assert (limit.is_kept, limit.at) == (True, 1_767_225_600.0)
    assert 50.0 < limit.most_usd <= 60.0, "January's hours may take all of it"
    held = fleet.uses[0].held["chat-eu"]
    assert held[-240:].tolist() == [1.0] * 240, "February has 28 days: the lower bound is left"
    _, alone = whole(found, ALONE)
    assert not alone.limits[0].is_kept
    assert alone.limits[0].most_usd > 150.0


def test_a_group_meets_its_demand_on_what_is_cheapest(tmp_path: Path) -> None:
    path = folder(tmp_path, group=GROUP, fleet=FLEET)
    loads, presets = ("chat=flat@4",), ("chat-a100=8b-a100",)
    found = ran(path, loads, preset=presets, days=0.08, peers=("none",))
    one, fleet = whole(found)
    h100, a100 = (use.held for use in fleet.uses)
    assert h100["chat-h100"].mean() >= 4.0, "$7 for 22 requests a second"
    assert a100["chat-a100"].mean() < 2.0, "and not $4 for 7"
    assert (one.number("attainment") or 0.0) > 0.97
    for one in found.results:
        if one.policy == TOGETHER and one.trace.startswith("chat-"):
            assert one.figures["ratio_to_optimum"] is None, "there is no optimum of its own"


@pytest.mark.slow
def test_the_same_command_gives_the_same_figures_over_processes(
    trimtab: Any, tmp_path: Path
) -> None:
    path = folder(tmp_path, fleet=FLEET + BUDGETS, chat=policy("chat-eu"), batch=policy("batch"))
    documents = []
    for jobs in (1, 2):
        result = trimtab(
            "simulate", path, "--workload", "step", "--days", 0.02, "--jobs", jobs, "--json", "-",
            "--trait", "batch=team:batch",
        )  # fmt: skip
        assert result.exit_code == ExitCode.CLEAN, result.output
        documents.append(json.loads(result.stdout)["results"])
    assert documents[0] == documents[1]


def test_what_is_shown_names_who_went_short_and_what_was_not_kept(
    trimtab: Any, tmp_path: Path
) -> None:
    path = folder(tmp_path, fleet=FLEET + BUDGETS, chat=policy("chat-eu"), other=policy("other"))
    page = tmp_path / "r.html"
    result = trimtab(
        "simulate", path, "--load", "chat-eu=flat@12", "--days", 0.05, "--html", page, "--jobs", 1,
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    for words in (
        "all deployments  trimtab",
        f"quotas         {H100} 10",
        "limits         $60 a day, $1,000 a month",
        f"  use    {H100}: ",
        "  short  chat-eu: ",
        "Short of what their rules asked for: chat-eu ",
        "Every quota and limit was kept.",
        "The policy other decides for none of the deployments.",
        "The team batch fits no deployment.",
    ):
        assert words in result.stdout, words
    text = page.read_text(encoding="utf-8")
    assert "Accelerators and money" in text
    assert f"accelerators, {H100}" in text
    assert "quota 10" in text
    assert "What rules asked for and did not get" in text


def test_a_fleet_in_json_has_its_use_over_time_and_every_limit(
    trimtab: Any, tmp_path: Path
) -> None:
    path = folder(tmp_path, fleet=FLEET + BUDGETS, chat=policy("chat-eu"))
    result = trimtab("simulate", path, "--workload", "flat", "--days", 0.02, "--json", "-")
    assert result.exit_code == ExitCode.CLEAN, result.output
    rows = json.loads(result.stdout)["results"]
    assert [("fleet" in row) for row in rows] == [row["trace"] == ALL for row in rows]
    fleet = rows[0]["fleet"]
    assert {one["period"] for one in fleet["limits"]} == {"day", "month"}
    (use,) = fleet["accelerators"]
    assert len(use["over_time"]["begin_seconds"]) == len(use["over_time"]["most"])
    assert use["over_time"]["most_by_deployment"]["chat-eu"] == use["over_time"]["most"]
