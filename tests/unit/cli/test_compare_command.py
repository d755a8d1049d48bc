"""``trimtab compare``: what is run, what is refused, and the quick mode from end to end."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from trimtab.cli.comparison import Comparison, comparison_jobs, contenders, sources
from trimtab.cli.exit_codes import ExitCode
from trimtab.simulation.peers import CATALOGUE
from trimtab.simulation.report.study import Role

ROWS = "".join(f"{60 * n},600,600000,120000\n" for n in range(30))
LOAD = f"t_s,requests,prompt_tokens,output_tokens\n{ROWS}"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "steady.csv").write_text(LOAD, encoding="utf-8")
    (folder / "storm_x.csv.gz").write_bytes(gzip.compress(LOAD.encode()))
    (folder / "steady.requests.csv").write_text("arrival_s,prompt_tokens,output_tokens\n1,2,3\n")
    (folder / "README.md").write_text("where they are from", encoding="utf-8")
    return folder


def test_loads_are_the_recordings_of_a_directory(recorded: Path) -> None:
    asked = Comparison(traces=recorded, json_file=Path("x"))
    assert [name for name, _ in sources(asked)] == ["steady", "storm_x"]


def test_everybody_meets_every_load_lead_need_and_seed(recorded: Path) -> None:
    asked = Comparison(
        traces=recorded,
        leads="60,600",
        needs="2,8",
        asked="0.98,0.99",
        seeds=2,
        json_file=Path("x"),
    )
    jobs = list(comparison_jobs(asked))
    everybody = list(contenders((0.98, 0.99), is_quick=False))
    assert len(jobs) == 2 * 2 * 2 * 2 * len(everybody)
    assert {job.preset.start_times.lead_time_seconds for job in jobs} == {60.0, 600.0}
    assert "steady, lead 600 s, need 2" in {job.trace for job in jobs}
    assert not any(job.keeps_timeline for job in jobs)


def test_our_policy_is_run_at_every_asked_attainment_and_every_peer_at_its_defaults() -> None:
    everybody = list(contenders((0.98, 0.99), is_quick=False))
    assert [one.name for one in everybody if one.role is Role.POLICY] == [
        "capacity@0.98",
        "capacity@0.99",
        "capacity-learning",
    ]
    names = {one.name for one in everybody}
    assert set(CATALOGUE) <= names
    assert len([name for name in names if name.startswith("hpa-rps@")]) == 45


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--leads", "60,soon"], "--leads '60,soon': 'soon' is no number above 0"),
        (["--asked", "0.99,99"], "'99' is no number above 0 and below 1"),
        (["--traces", "/nowhere"], "--traces /nowhere is no directory"),
        (["--trace", "dya"], "no load is called 'dya'"),
        (["--from", "/nowhere.json"], "/nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    trimtab: Any, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    result = trimtab("compare", "--json", tmp_path / "c.json", *arguments)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert sentence in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_quick_mode_writes_results_and_a_page_and_the_page_again_from_them(
    trimtab: Any, tmp_path: Path
) -> None:
    results, page, again = tmp_path / "c.json", tmp_path / "c.md", tmp_path / "again.md"
    ran = trimtab(
        "compare", "--quick", "--trace", "step", "--asked", "0.98,0.99", "--jobs", 1,
        "--json", results, "--page", page,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    rows = json.loads(results.read_text(encoding="utf-8"))["results"]
    assert {row["load"] for row in rows} == {"step"}
    assert {row["policy"] for row in rows} >= {"capacity@0.99", "ray-serve", "perfect-forecast"}
    for row in rows:
        assert 0.0 <= row["attainment"] <= 1.0
        assert row["ratio_to_perfect_forecast"] > 0.0
    assert trimtab("compare", "--from", results, "--page", again).exit_code == 0
    assert again.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    assert "made up by this project" in page.read_text(encoding="utf-8")
