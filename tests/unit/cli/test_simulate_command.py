"""``trimtab simulate``: what is refused and how, what is planned, what is shown and written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli import simulation_runs
from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.simulation_command import Asked, plan, seconds
from trimtab.cli.simulation_plan import Job, PlanError
from trimtab.cli.simulation_runs import Ran, run_jobs
from trimtab.simulation.report.study import Result, Role

POLICIES = Path(__file__).parents[3] / "policies"
SMALL = POLICIES / "chat-small.yaml"
LARGE = POLICIES / "chat-large.yaml"


def pretended(job: Job) -> Result:
    """A result without a run: a peer attains less for more."""
    is_ours = job.contender.role is Role.POLICY
    return Result(
        trace=job.trace,
        policy=job.contender.name,
        seed=job.seed,
        role=job.contender.role,
        figures={
            "attainment": 0.995 if is_ours else 0.97,
            "replica_hours": 100.0 if is_ours else 140.0,
            "optimum_replica_hours": 80.0,
            "ratio_to_optimum": 1.25 if is_ours else 1.75,
            "scale_ups": 12,
            "scale_downs": 11,
        },
    )


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Run nothing: pretend results, and keep the jobs that were asked for."""
    asked: list[Job] = []

    def run(jobs: Any, *, processes: int, plugins: Any) -> Ran:
        assert list(plugins) == []
        assert processes >= 1
        asked.extend(jobs)
        return Ran(tuple(pretended(job) for job in jobs), ())

    monkeypatch.setattr(simulation_runs, "run_jobs", run)
    return asked


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--peer", "kubernets"], "no peer is called 'kubernets'; there are static-peak"),
        (["--peer", "ray-serv"], "no peer is called 'ray-serv'; did you mean ray-serve?"),
        (["--peer", "ray-serve@target=7"], "ray-serve has no setting 'target=7'"),
        (["--preset", "8b-h10"], "no preset is called '8b-h10'; did you mean 8b-h100?"),
        (["--workload", "dya"], "no made-up load is called 'dya'; did you mean day?"),
        (["--trace", "nowhere.csv"], "nowhere.csv is no file; name a recorded load"),
        (["--lead", "soon"], "--lead 'soon' is not a duration"),
        (["--lead", "-5"], "--lead '-5' is not a duration"),
        (["--metric-age", "1 hour"], "--metric-age '1 hour' is not a duration"),
        (["--days", "0"], "--days 0 is out of range; give a number above 0"),
        (["--scale-to-mean", "-1"], "--scale-to-mean -1 is out of range"),
        (["--attainment", "99"], "--attainment 99 is no share; give one above 0 and below 1"),
        (["--resolution", "fluids"], "no resolution is called 'fluids'; did you mean fluid?"),
        (["--disturb", "metric-outages"], "did you mean metric-outage?"),
        (["--min", "9", "--max", "4"], "replicas from 9 to 4 is no range"),
        (["--max", "99999999999"], "--max 99999999999 is out of range; give 10,000 or less"),
        (["--scale-to-mean", "1e12"], "replicas at its peak, and a simulation has room for 10,000"),
        (
            ["--signal", "requets=in_flight"],
            ("--signal requets: no policy has a signal of this name; did you mean requests?"),
        ),
        (["--columns", "requests"], "requests"),
        (["--json", "/nowhere/at/all.json"], "there is no directory /nowhere/at; make it first"),
        (["--html", "/"], "--html / is a directory; name a file"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_runs(
    trimtab: Any, pretend: list[Job], arguments: list[str], sentence: str
) -> None:
    result = trimtab("simulate", SMALL, *arguments)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("trimtab simulate: ")
    assert "Traceback" not in result.output
    assert pretend == []


def test_a_policy_with_mistakes_is_refused_with_all_of_them(
    trimtab: Any, pretend: list[Job], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    text = SMALL.read_text(encoding="utf-8").replace("ttainment:", "tainment:")
    text = text.replace("maxAge: 150s\n\n", "maxage: 150s\n\n")
    wrong.write_text(text, encoding="utf-8")
    result = trimtab("simulate", wrong)
    assert result.exit_code == ExitCode.BAD_CONFIGURATION
    assert result.stderr.count("POL104") == 2
    assert pretend == []


def test_a_load_that_cannot_be_read_is_refused_with_its_line(
    trimtab: Any, pretend: list[Job], tmp_path: Path
) -> None:
    trace = tmp_path / "load.csv"
    trace.write_text("t_s,requests,prompt_tokens,output_tokens\n0,5,10,10\n60,many,1,1\n")
    result = trimtab("simulate", SMALL, "--trace", trace)
    assert result.exit_code == ExitCode.USAGE
    assert f"{trace} line 3" in result.stderr
    assert pretend == []


def test_plots_without_matplotlib_are_refused_before_anything_runs(
    trimtab: Any, pretend: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = trimtab("simulate", SMALL, "--plots", tmp_path / "plots")
    assert result.exit_code == ExitCode.USAGE
    assert "install trimtab[plots]" in result.stderr
    assert pretend == []


# -- what is planned ---------------------------------------------------------------------------


def test_a_policy_and_nothing_else_is_a_made_up_day_beside_two_usual_autoscalers(
    trimtab: Any, pretend: list[Job]
) -> None:
    assert trimtab("simulate", SMALL).exit_code == 0
    assert {job.trace for job in pretend} == {"day"}
    assert [job.contender.name for job in pretend] == [
        "chat-small",
        "hpa-in-flight",
        "hpa-request-rate",
        "perfect-forecast",
    ]
    assert {(job.replicas_min, job.replicas_max) for job in pretend} == {(1, 12)}


def test_every_load_meets_every_contender_with_every_seed() -> None:
    jobs = plan(Asked(policies=[SMALL], workloads=["day", "step"], peers=["modal"], seeds=3))
    met = {(job.trace, job.contender.name, job.seed) for job in jobs}
    assert len(met) == len(jobs) == 2 * 3 * 3
    assert {job.seed for job in jobs} == {1, 2, 3}


def test_policies_of_a_directory_run_on_the_same_load() -> None:
    jobs = plan(Asked(policies=[POLICIES], peers=["none"]))
    ours = [job for job in jobs if job.contender.role is Role.POLICY]
    assert [job.contender.name for job in ours] == ["chat-large", "chat-small", "code"]
    assert len({job.load for job in ours}) == 1


def test_two_versions_of_a_policy_are_told_apart_by_their_files(tmp_path: Path) -> None:
    other = tmp_path / "steeper.yaml"
    other.write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    jobs = plan(Asked(policies=[SMALL, other], peers=["none"]))
    names = [job.contender.name for job in jobs if job.contender.role is Role.POLICY]
    assert names == ["chat-small (chat-small)", "chat-small (steeper)"]


def test_policies_and_loads_that_are_called_alike_are_never_one_row(tmp_path: Path) -> None:
    """Under one name they were a mean "over seeds", with the difference of old and new as its spread."""
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "chat.yaml").write_text(SMALL.read_text(encoding="utf-8"))
    like_a_peer = tmp_path / "modal.yaml"
    like_a_peer.write_text(SMALL.read_text(encoding="utf-8").replace("chat-small", "modal"))
    text = "t_s,requests,prompt_tokens,output_tokens\n0,600,600000,120000\n60,600,600000,120000\n"
    traces = [tmp_path / name for name in ("prod.01.csv", "prod.02.csv", "day.csv")]
    for trace in traces:
        trace.write_text(text)
    policies = [tmp_path / "old" / "chat.yaml", tmp_path / "new" / "chat.yaml", like_a_peer]
    jobs = plan(Asked(policies=policies, workloads=["day"], traces=traces, peers=["modal"]))
    assert len({(job.trace, job.contender.name) for job in jobs}) == len(jobs) == 4 * 5
    assert {job.trace for job in jobs} == {"day", "prod.01", "prod.02", "day.csv"}
    ours = [job.contender.name for job in jobs if job.contender.role is Role.POLICY]
    assert ours[:3] == ["chat-small (old/chat)", "chat-small (new/chat)", "modal (modal)"]


def test_a_made_up_load_is_sized_by_the_policy_and_a_recorded_one_stays_as_it_is(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "load.csv"
    rows = "".join(f"{60 * n},600,600000,120000\n" for n in range(60))
    trace.write_text(f"t_s,requests,prompt_tokens,output_tokens\n{rows}")
    made_up, recorded = plan(
        Asked(policies=[SMALL], workloads=["flat"], traces=[trace], peers=["none"])
    )[:: len(plan(Asked(policies=[SMALL], peers=["none"])))]
    assert made_up.load.scale_to_mean == pytest.approx(0.35 * 12)
    assert (recorded.trace, recorded.load.scale_to_mean) == ("load", None)


def test_without_bounds_of_a_policy_there_is_room_for_twice_the_peak(tmp_path: Path) -> None:
    free = tmp_path / "free.yaml"
    text = SMALL.read_text(encoding="utf-8").replace("  bounds: {min: 1, max: 12}\n", "")
    free.write_text(text, encoding="utf-8")
    (job, *_) = plan(Asked(policies=[free], workloads=["step"], scale_to_mean=10.0))
    assert job.replicas_min == 1
    assert job.replicas_max == 36  # the step needs 18 at its top when it needs 10 on average


def test_the_lead_changes_the_preset() -> None:
    (job, *_) = plan(Asked(policies=[SMALL], lead="10m"))
    assert job.preset.start_times.lead_time_seconds == 600.0


@pytest.mark.parametrize(("text", "found"), [("180", 180.0), ("90s", 90.0), ("1h30m", 5400.0)])
def test_a_bare_number_is_seconds(text: str, found: float) -> None:
    assert seconds("--lead", text) == found


@pytest.mark.parametrize("text", ["nan", "inf", "-1", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="--lead"):
        seconds("--lead", text)


# -- what is run -------------------------------------------------------------------------------


def test_a_short_run_of_everything_gives_the_same_figures_over_one_process_and_two(
    trimtab: Any, tmp_path: Path
) -> None:
    def told(processes: int) -> str:
        path = tmp_path / f"{processes}.json"
        result = trimtab(
            "simulate", SMALL, "--days", 0.01, "--peer", "hpa-request-rate", "--jobs", processes,
            "--json", path,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        return path.read_text(encoding="utf-8")

    alone, together = json.loads(told(1)), json.loads(told(2))
    assert alone["results"] == together["results"]
    for row in alone["results"]:
        assert 0.0 <= row["attainment"] <= 1.0
        assert row["replica_hours"] > 0.0
        assert row["ratio_to_optimum"] > 0.5
    rows = {row["policy"]: row for row in alone["results"]}
    assert rows["perfect-forecast"]["ratio_to_perfect_forecast"] == 1.0


def test_deployments_that_share_a_quota_run_together_and_stay_within_it() -> None:
    """A step to three times the load, for which both want more than there is."""
    asked = Asked(
        policies=[SMALL, LARGE], workloads=["step"], days=0.1, peers=["modal"], quota=7,
        scale_to_mean=2.0, replicas_max=12,
    )  # fmt: skip
    ran = run_jobs(plan(asked), processes=1)
    assert ran.failures == ()
    assert {one.trace for one in ran.results} == {"step, chat-small", "step, chat-large"}
    assert {one.policy for one in ran.results} == {"trimtab", "modal"}
    for policy in ("trimtab", "modal"):
        runs = [one.timeline for one in ran.results if one.policy == policy and one.timeline]
        # One accelerator a replica; draining ones count no more, as the control plane has it. The
        # second in which one ends is billed in part, and not counted as draining.
        held = sum(run.billed / 15.0 - run.draining for run in runs)
        assert max(held) <= 7.0 + 1.0 / 15.0
        assert max(sum(run.asked for run in runs)) > 7.0


def test_a_signal_whose_query_is_unknown_is_told_what_it_measures(
    trimtab: Any, tmp_path: Path
) -> None:
    policy = tmp_path / "own.yaml"
    text = SMALL.read_text(encoding="utf-8")
    policy.write_text(text.replace("query: request_counter_total", "query: my_own_total"))
    arguments = ("simulate", policy, "--days", 0.01, "--peer", "none", "--jobs", 1)
    refused = trimtab(*arguments)
    assert refused.exit_code == ExitCode.USAGE
    assert "signal requests of policy chat-small asks for `my_own_total" in refused.stderr
    assert "--signal" in refused.stderr
    told = trimtab(*arguments, "--signal", "requests=requests_per_second")
    assert told.exit_code == 0, told.output


# -- what is shown and written -----------------------------------------------------------------


@pytest.mark.usefixtures("pretend")
def test_a_pipe_gets_a_plain_table_and_a_sentence(trimtab: Any) -> None:
    result = trimtab("simulate", SMALL, "--peer", "modal")
    lines = result.stdout.splitlines()
    assert "lead time      180 s" in lines
    assert "chat-small            99.50      100.0       1.250   12     11" in lines
    assert lines[-1] == (
        "chat-small met the SLO for 99.50 % of requests with 100.0 replica-hours, 1.25 times the "
        "clairvoyant optimum. No peer attained as much."
    )


@pytest.mark.usefixtures("pretend")
def test_a_pipe_is_told_what_a_recording_does_not_tell(trimtab: Any, tmp_path: Path) -> None:
    """What was made up where nothing was recorded is no secret of those who have a terminal."""
    load = tmp_path / "load.csv"
    rows = [f"{minute * 60},600,690000,126000" for minute in range(30)]
    rows[10] = "600,,,"
    load.write_text("\n".join(["t_s,requests,prompt_tokens,output_tokens", *rows]))
    result = trimtab("simulate", SMALL, "--peer", "none", "--trace", load)
    assert result.stdout.splitlines()[-1] == (
        "load: it tells nothing for 60 s in one stretch (3.3% of it); there the last known load goes on."
    )


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        ("arrival_s,prompt_tokens,output_tokens", "{},100,50", "which makes 1.67e+10 bins of 60 s"),
        (
            "t_s,requests,prompt_tokens,output_tokens",
            "{},60,60000,6000",
            "spans 1.16e+07 days, and a",
        ),
    ],
)
def test_a_time_far_away_is_refused_before_it_takes_all_memory(
    trimtab: Any, pretend: list[Job], tmp_path: Path, header: str, row: str, sentence: str
) -> None:
    load = tmp_path / "load.csv"
    load.write_text("\n".join([header, *(row.format(at) for at in ("0", "60", "120", "1e12"))]))
    result = trimtab("simulate", SMALL, "--trace", load)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert sentence in result.stderr
    assert "load.csv" in result.stderr
    assert pretend == []


@pytest.mark.usefixtures("pretend")
def test_columns_of_other_names_can_be_told(trimtab: Any, tmp_path: Path) -> None:
    load = tmp_path / "load.csv"
    rows = [f"{minute * 60},600,690000,126000" for minute in range(30)]
    load.write_text("\n".join(["ts,n,in,out", *rows]))
    columns = "time=ts,requests=n,prompt=in,output=out"
    result = trimtab("simulate", SMALL, "--peer", "none", "--trace", load, "--columns", columns)
    assert result.exit_code == ExitCode.CLEAN, result.output
    assert "load           load" in result.stdout.splitlines()
    wrong = trimtab("simulate", SMALL, "--trace", load, "--columns", "time=when,requests=n")
    assert wrong.exit_code == ExitCode.USAGE
    assert "there is no column 'when'; there are ts, n, in, out" in wrong.stderr


@pytest.mark.usefixtures("pretend")
def test_rows_that_are_missing_are_told_of(trimtab: Any, tmp_path: Path) -> None:
    load = tmp_path / "load.csv"
    rows = [f"{minute * 60},600,690000,126000" for minute in range(30) if not 10 <= minute < 15]
    load.write_text("\n".join(["t_s,requests,prompt_tokens,output_tokens", *rows]))
    result = trimtab("simulate", SMALL, "--peer", "none", "--trace", load)
    assert result.stdout.splitlines()[-1] == (
        "load: it has a bin of 360 s where others last 60 s, and the requests of such a row are spread "
        "over all of it; where rows are missing, add them with nothing after the time."
    )


@pytest.mark.usefixtures("pretend")
def test_json_on_stdout_is_nothing_but_json(trimtab: Any, tmp_path: Path) -> None:
    result = trimtab("simulate", SMALL, "--json", "-", "--html", tmp_path / "r.html", "--seeds", 2)
    document = json.loads(result.stdout)
    assert document["seeds"] == [1, 2]
    assert document["command"].split()[0] == "trimtab"
    assert document["scenario"]["lead time"] == "180 s"
    row = document["results"][0]
    assert (row["trace"], row["policy"], row["seed"], row["role"]) == (
        "day",
        "chat-small",
        1,
        "policy",
    )
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("pretend")
def test_files_are_written_where_they_were_asked_for(trimtab: Any, tmp_path: Path) -> None:
    result = trimtab(
        "simulate", SMALL, "--json", tmp_path / "r.json", "--html", tmp_path / "r.html"
    )
    assert result.exit_code == 0
    assert f"wrote {tmp_path / 'r.json'}" in result.stdout
    assert len(json.loads((tmp_path / "r.json").read_text())["results"]) == 4


def test_a_run_that_fails_is_named_and_the_others_are_shown(
    trimtab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(jobs: Any, **_: Any) -> Ran:
        return Ran(tuple(pretended(job) for job in jobs[:2]), ("modal on day, seed 1: it broke",))

    monkeypatch.setattr(simulation_runs, "run_jobs", run)
    result = trimtab("simulate", SMALL, "--peer", "modal")
    assert result.exit_code == ExitCode.FAILED
    assert "trimtab simulate: modal on day, seed 1: it broke" in result.stderr
    assert "chat-small" in result.stdout


def test_names_are_listed_on_demand(trimtab: Any, pretend: list[Job]) -> None:
    loads = trimtab("simulate", "--workload", "list")
    assert loads.exit_code == 0
    assert "one working day" in loads.stdout
    peers = trimtab("simulate", "--peer", "list")
    assert "Knative pod autoscaler" in peers.stdout
    assert pretend == []


def test_the_help_shows_what_an_sre_would_type_first(trimtab: Any) -> None:
    text = trimtab("simulate", "--help").output
    for example in ("trimtab simulate policy.yaml", "--trace load.csv.gz", "--html report.html"):
        assert example in text
    assert "trimtab[plots]" in text
