"""``trimtab cost`` on journals that a life was noted in."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.worlds.journal_world import POLICY, START, Life, name_of

from trimtab.cli.exit_codes import ExitCode
from trimtab.clock import ManualClock
from trimtab.core.deployment import Shape
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.policy import read_policy_texts

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Trimtab

FLEET = """\
---
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {name: acme}
spec:
  timezone: Europe/Zurich
  prices: {NVIDIA_H100_80GB: 7.0}
  quotas:
    - {accelerator: NVIDIA_H100_80GB, max: 24}
  spend:
    month: {usd: 60000}
  teams:
    - name: first
      deployments: {names: ["chat-0"]}
"""


def in_force(life: Life, text: str) -> None:
    report = read_policy_texts([("chat.yaml", text)])
    assert report.is_valid, report.diagnostics
    life.journalled.put_in_force(report.policies, {"chat.yaml": text}, report.fleet)


def journal_of(
    path: Path, happen: Callable[[Life], None], *, text: str = POLICY + FLEET, deployments: int = 2
) -> Path:
    """Write a journal of a life in which ``happen`` happens."""

    async def live() -> None:
        clock = ManualClock(START)
        journal = SqliteJournal(path, clock, worker=InlineWorker())
        await journal.open()
        life = Life(journal.note, deployments=deployments)
        in_force(life, text)
        happen(life)
        clock.advance(life.now - START)
        await journal.close()

    asyncio.run(live())
    return path


def an_hour(life: Life, load: float = 20.0) -> None:
    for _ in range(240):
        life.turn(load=load)
        life.act()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_of(tmp_path / "journal.db", an_hour)


def document(trimtab: Trimtab, *arguments: object) -> Any:
    found = trimtab("cost", *arguments, "--json", "-")
    assert found.exit_code == ExitCode.CLEAN, found.output
    return json.loads(found.stdout)


HOURS = 239 * 15 / 3600
"""From the first turn to the last: before, nobody looked."""


def test_it_says_what_was_spent_by_whom_and_what_runs(trimtab: Trimtab, journal: Path) -> None:
    found = document(trimtab, journal)
    assert found["total"]["spent_usd"] == pytest.approx(2 * 2 * 28 * HOURS, rel=1e-3)
    assert found["total"]["running_usd_an_hour"] == 112.0
    assert found["total"]["running_accelerators"] == 16
    assert [row["deployment"] for row in found["rows"]] == [name_of(0), name_of(1)]
    assert found["prices"]["NVIDIA_H100_80GB"]["usd_an_hour"] == 7.0


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("team", ["(no team)", "first"]),
        ("accelerator", ["NVIDIA_H100_80GB"]),
        ("day", ["2026-01-01"]),
        ("reason", []),
    ],
)
def test_rows_are_by_what_is_asked_for_and_add_up(
    trimtab: Trimtab, journal: Path, by: str, names: list[str]
) -> None:
    found = document(trimtab, journal, "--by", by)
    assert sorted(row[by] for row in found["rows"]) == names
    if by != "reason":
        spent = sum(row["spent_usd"] for row in found["rows"])
        assert spent == pytest.approx(found["total"]["spent_usd"])


def test_what_serves_beyond_the_load_is_idle(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "idle.db", lambda life: an_hour(life, load=10.0))
    found = document(trimtab, path)["total"]
    # The second replica goes after the window; until then one of two has no load.
    assert 0.0 < found["idle_usd"] < found["spent_usd"] / 2
    assert found["unjudged_usd"] < found["spent_usd"] / 50


def test_what_a_quota_refuses_is_told_with_what_it_missed(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "short.db", lambda life: an_hour(life, load=50.0))
    found = document(trimtab, path, "--by", "reason")
    # Two that want five replicas each have six between them.
    assert {row["reason"] for row in found["rows"]} <= {"quota", "reserved", "not_free_yet"}
    assert found["total"]["refused_replica_hours"] == pytest.approx(4 * HOURS, rel=0.05)
    assert found["total"]["missed_replica_hours"] == pytest.approx(4 * HOURS, rel=0.05)
    assert found["total"]["missed_requests"] is None  # no rule knows what a replica carries
    said = trimtab("cost", path).stdout
    assert "refused" in said
    assert "replica-hours, of which load would have used" in said


def test_without_a_fleet_file_the_shipped_prices_hold(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "plain.db", an_hour, text=POLICY)
    found = document(trimtab, path)
    assert found["total"]["spent_usd"] == pytest.approx(112.0 * HOURS, rel=1e-3)
    assert "2026" in found["prices"]["NVIDIA_H100_80GB"]["source"]
    assert found["timezone"] == "UTC"


def without_price(life: Life) -> None:
    shape = Shape(accelerator_type="TPU_V9", accelerators_per_replica=2)
    life.fleet[name_of(1)] = replace(life.fleet[name_of(1)], shape=shape)
    an_hour(life)


def test_what_has_no_price_is_said_to_be_unknown_and_never_nothing(
    trimtab: Trimtab, tmp_path: Path
) -> None:
    path = journal_of(tmp_path / "unpriced.db", without_price)
    rows = {row["deployment"]: row for row in document(trimtab, path)["rows"]}
    assert rows[name_of(1)]["spent_usd"] is None
    assert rows[name_of(1)]["unpriced_accelerator_hours"] == pytest.approx(4 * HOURS, rel=1e-3)
    found = trimtab("cost", path)
    assert "unknown" in found.stdout
    assert "have no price and are in no sum: give one for TPU_V9" in found.stderr
    priced = document(trimtab, path, "--price", "TPU_V9=3")
    rows = {row["deployment"]: row for row in priced["rows"]}
    assert rows[name_of(1)]["spent_usd"] == pytest.approx(12.0 * HOURS, rel=1e-3)


def a_night_without_looks(life: Life) -> None:
    an_hour(life)
    life.now += 8 * 3600.0
    an_hour(life)


def test_time_in_which_nobody_looked_is_assumed_and_said(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "down.db", a_night_without_looks)
    found = document(trimtab, path)["total"]
    assert found["assumed_usd"] == pytest.approx(112.0 * 8, rel=1e-2)
    assert found["unjudged_usd"] == pytest.approx(112.0 * 8, rel=2e-2)
    assert "assumed for what nobody could look at" in trimtab("cost", path).stdout


def another_price(life: Life) -> None:
    an_hour(life)
    in_force(life, (POLICY + FLEET).replace("7.0", "3.5"))
    an_hour(life)


def test_an_account_that_cannot_be_read_after_a_start_runs_on_as_it_was_known_last(
    trimtab: Trimtab, tmp_path: Path
) -> None:
    other = "accounts/other"

    def happen(life: Life) -> None:
        code = replace(
            life.fleet[name_of(0)], name=f"{other}/deployments/code", display_name="code"
        )
        without, life.fleet = life.fleet, {**life.fleet, code.name: code}
        life.turn(load=10.0)
        life.fleet, life.unread = without, (other,)
        for _ in range(240):
            life.turn(load=10.0)
        life.unread = ()  # it was read, and code is no more
        for _ in range(240):
            life.turn(load=10.0)

    found = document(trimtab, journal_of(tmp_path / "journal.db", happen, deployments=1))
    (code,) = (row for row in found["rows"] if row["deployment"].startswith(other))
    assert code["spent_usd"] == pytest.approx(2 * 4 * 7.0 * 241 * 15 / 3600)
    assert code["assumed_usd"] == pytest.approx(2 * 4 * 7.0 * 240 * 15 / 3600)
    assert found["total"]["assumed_usd"] == code["assumed_usd"], "what was seen is not assumed"


def test_each_hour_costs_what_its_own_price_was(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "prices.db", another_price)
    found = document(trimtab, path)["total"]
    assert found["spent_usd"] == pytest.approx(112.0 + 56.0, rel=1e-2)
    assert found["running_usd_an_hour"] == 56.0


def test_since_cuts_off_what_came_before(trimtab: Trimtab, journal: Path) -> None:
    half = document(trimtab, journal, "--since", "2026-01-01T00:30")
    assert half["total"]["spent_usd"] == pytest.approx(56.0, rel=1e-2)
    ago = document(trimtab, journal, "--since", "15m")
    assert ago["total"]["spent_usd"] == pytest.approx(28.0, rel=1e-2)


def test_without_a_replay_it_is_said_that_nothing_is_known_of_idle_replicas(
    trimtab: Trimtab, journal: Path
) -> None:
    found = document(trimtab, journal, "--no-replay")
    assert found["total"]["idle_usd"] is None
    assert found["total"]["refused_replica_hours"] is None
    assert found["total"]["spent_usd"] == pytest.approx(112.0 * HOURS, rel=1e-3)
    assert found["notes"]


def test_csv_adds_up_and_leaves_empty_what_is_not_known(trimtab: Trimtab, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "unpriced.db", without_price)
    found = trimtab("cost", path, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [row["deployment"] for row in rows] == [name_of(0), name_of(1)]
    assert float(rows[0]["spent_usd"]) == pytest.approx(56.0 * HOURS, rel=1e-3)
    assert rows[1]["spent_usd"] == ""
    file = tmp_path / "cost.csv"
    again = trimtab("cost", path, "--csv", file)
    assert file.read_text() == found.stdout
    assert "spent" in again.stdout


def test_a_terminal_is_shown_the_period_the_sums_the_limits_and_the_rows(
    trimtab: Trimtab, journal: Path
) -> None:
    said = trimtab("cost", journal).stdout.splitlines()
    assert said[0] == "from 2026-01-01 01:00 to 2026-01-01 02:00 (Europe/Zurich)"
    assert said[1].startswith("spent      $111.")
    assert said[2] == "running    $112.00 an hour for 16 accelerators"
    assert any(line.startswith("limit      $60,000.00 a month, of which $111.") for line in said)
    assert any(line.startswith("chat-0") for line in said)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--since", "yesterday"), "'yesterday' is not a time"),
        (("--price", "H100"), "'H100' is no price"),
        (("--price", "H100=0"), "'H100=0' is no price"),
        (("--csv", "/nowhere/cost.csv"), "there is no directory"),
        (("--csv", "-", "--json", "-"), "only one of --csv and --json can be written here"),
        (("--since", "2999-01-01"), "it is after the last that the journal"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(
    trimtab: Trimtab, journal: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    found = trimtab("cost", journal, *arguments)
    assert found.exit_code == ExitCode.USAGE
    assert sentence in " ".join(found.output.split())


def test_a_price_for_what_nothing_ran_on_is_told(trimtab: Trimtab, journal: Path) -> None:
    found = trimtab("cost", journal, "--price", "NVIDIA_H100_80G=7")
    assert found.exit_code == ExitCode.CLEAN
    assert (
        "--price NVIDIA_H100_80G changes nothing, as nothing ran on it; did you mean NVIDIA_H100_80GB?"
    ) in found.output


def test_where_nothing_was_refused_that_is_said(trimtab: Trimtab, journal: Path) -> None:
    assert "no refusal is known of this time" in trimtab("cost", journal, "--by", "reason").output


def test_no_journal_is_one_sentence(trimtab: Trimtab, tmp_path: Path) -> None:
    found = trimtab("cost", tmp_path / "none.db")
    assert found.exit_code == ExitCode.FAILED
    assert "there is no journal" in found.output
