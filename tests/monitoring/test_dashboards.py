"""The dashboards as files: explained, linked, in order. That they show something, test_town.py shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.monitoring.bundle import DEPLOY, RUNBOOKS, Board, boards, reference
from tests.servers.process import binary

UIDS = {
    "trimtab-daemon.json": "trimtab-daemon",
    "trimtab-deployment.json": "trimtab-deployment",
    "trimtab-fleet.json": "trimtab-fleet",
}


def test_uids_never_change_and_boards_lead_to_each_other() -> None:
    assert {one.file: one.content["uid"] for one in boards()} == UIDS
    for board in boards():
        (link,) = board.content["links"]
        assert (link["type"], link["tags"]) == ("dashboards", ["trimtab"])
        assert (link["includeVars"], link["keepTime"]) == (True, True)
        assert board.content["tags"] == ["trimtab"]
        ids = [panel["id"] for panel in board.content["panels"]]
        assert ids == list(range(1, len(ids) + 1))
    fleet = next(one for one in boards() if one.file == "trimtab-fleet.json")
    assert "/d/trimtab-deployment?var-deployment=" in str(fleet.content)


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.file)
def test_every_panel_is_explained_has_a_unit_and_names_its_series(board: Board) -> None:
    bare = []
    titles = Counter(panel["title"] for panel in board.panels)
    for panel in board.panels:
        defaults = panel["fieldConfig"]["defaults"]
        is_sentence = panel["description"].endswith((".", "…", "md"))
        if not (
            is_sentence and defaults.get("unit") and defaults.get("thresholds", {}).get("steps")
        ):
            bare.append(panel["title"])
        if titles[panel["title"]] > 1:
            bare.append(f"{panel['title']} twice")
        for target in panel["targets"]:
            if panel["type"] == "timeseries" and not target["legendFormat"].strip("_auto"):
                bare.append(f"{panel['title']} {target['refId']}: no legend")
            if target["datasource"]["uid"] != "${datasource}":
                bare.append(f"{panel['title']} {target['refId']}: a datasource of its own")
        if panel["type"] == "timeseries" and not panel["options"]["legend"]["showLegend"]:
            bare.append(f"{panel['title']}: legend hidden")
    assert bare == []


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.file)
def test_panels_fill_the_grid_and_do_not_overlap(board: Board) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board.content["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.file)
def test_rates_are_over_the_interval_that_fits_the_scrape(board: Board) -> None:
    for where, expr in board.queries():
        ranges = re.findall(r"rate\([^)]*\[([^\]]+)\]", expr)
        assert set(ranges) <= {"$__rate_interval"}, where


def test_every_link_to_a_runbook_leads_to_a_page() -> None:
    links = [
        link["url"]
        for board in boards()
        for panel in board.panels
        for link in panel.get("links", [])
    ]
    assert len(links) > 20
    assert [one for one in links if not (RUNBOOKS / one.rpartition("/")[2]).is_file()] == []


def test_every_metric_that_is_asked_for_is_one_that_the_daemon_has() -> None:
    histograms = {
        f"{name}{suffix}"
        for name, one in reference().items()
        if one.kind == "histogram"
        for suffix in ("_bucket", "_sum", "_count")
    }
    known = {*reference(), *histograms}
    unknown = [
        f"{where}: {name}"
        for board in boards()
        for where, expr in (*board.queries(), *board.variables())
        for name in re.findall(r"\btrimtab_\w+", expr)
        if name not in known
    ]
    assert unknown == []


POOL = 'accelerator_type="H100",region="EU",account="acme"'
WHOLE = 'accelerator_type="H100",region="",account=""'
OF_THE_WHOLE_FLEET = {
    "trimtab_spend_rate_usd_per_hour{{{member}}}": 12,
    f"trimtab_fleet_held_accelerators{{{{{POOL},{{member}}}}}}": 6,
    f"trimtab_fleet_held_accelerators{{{{{WHOLE},{{member}}}}}}": 8,
    f"trimtab_fleet_elsewhere_accelerators{{{{{POOL},{{member}}}}}}": 2,
    f'trimtab_fleet_quota_accelerators{{{{source="account",{POOL},{{member}}}}}}': 16,
    "trimtab_policy_bad_files{{{member}}}": 1,
}
"""What each of several members tells, and means the whole fleet by."""

AS_ONE_MEMBER_TELLS_IT = (
    ("Running rate", 0, {"": 12}),
    ("Running rate, the dearest deployments", 0, {"": 12}),
    ("Accelerators used of the quota", 0, {f'job="trimtab",{POOL}': 0.5}),
    (
        "Accelerators held",
        0,
        {f'job="trimtab",{POOL}': 6, 'job="trimtab",accelerator_type="H100"': 8},
    ),
    ("Readings of policy files", 1, {"": 1}),
)


@pytest.mark.parametrize(("title", "number", "values"), AS_ONE_MEMBER_TELLS_IT)
def test_what_every_member_tells_of_the_whole_fleet_is_counted_once(
    title: str, number: int, values: dict[str, float], tmp_path: Path
) -> None:
    (panel,) = [one for board in boards() for one in board.panels if one["title"] == title]
    expr = panel["targets"][number]["expr"].replace("$job", "trimtab")
    members = ('job="trimtab",instance="a:9464",pod="a"', 'job="trimtab",instance="b:9464",pod="b"')
    content = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series.format(member=member), "values": f"{value}+0x5"}
                    for series, value in OF_THE_WHOLE_FLEET.items()
                    for member in members
                ],
                "promql_expr_test": [
                    {
                        "expr": expr,
                        "eval_time": "5m",
                        "exp_samples": [
                            {"labels": f"{{{labels}}}", "value": value}
                            for labels, value in values.items()
                        ],
                    }
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    judged = subprocess.run(  # noqa: S603  our own command
        [binary("promtool"), "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_what_is_shipped_reads_as_the_documents_say(tmp_path: Path) -> None:
    """A bundle for other addresses is made by one command, and only the addresses differ."""
    script = DEPLOY / "monitoring" / "generate.py"
    subprocess.run(  # noqa: S603  our own command
        [
            sys.executable,
            str(script),
            "--runbooks-at",
            "https://wiki.test/x/",
            "--to",
            str(tmp_path),
        ],
        check=True,
        capture_output=True,
    )
    made = sorted(one.relative_to(tmp_path) for one in tmp_path.rglob("*") if one.is_file())
    assert len(made) == 10  # five, and their copies in the chart
    for one in made:
        ours = (DEPLOY / one).read_text(encoding="utf-8")
        theirs = (tmp_path / one).read_text(encoding="utf-8")
        assert "https://wiki.test/x/Trimtab" in theirs or "recording" in one.name
        assert theirs.replace("https://wiki.test/x", "https://trimtab.dev/runbooks") == ours
