"""``trimtab backtest`` and ``trimtab calibrate`` against a real Prometheus that holds a simulated past."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from tests.servers.process import free_port
from tests.servers.prometheus import backfilled_prometheus
from tests.servers.recorded_days import (
    CAPACITY,
    LEAD_SECONDS,
    POLICY,
    STEP_SECONDS,
    Days,
    lived,
    metrics,
)
from typer.testing import CliRunner

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.main import build_app
from trimtab.policy import read_policy_texts

NAME = "accounts/acme/deployments/chat"
STARTED_AT = 1_767_571_200.0
GAP = range(700, 780)
"""Steps of which nothing was written down: forty minutes."""

Trimtab = Callable[..., Result]


class Past:
    """The server, and what happened."""

    def __init__(self, url: str, days: Days) -> None:
        self.url, self.days = url, days

    @property
    def arguments(self) -> list[object]:
        until = datetime.fromtimestamp(self.days.ended_at, UTC).isoformat()
        hours = (self.days.ended_at - self.days.started_at) / 3600.0
        return ["--prometheus", self.url, "--until", until, "--range", f"{hours:.0f}h",
                "--step", f"{STEP_SECONDS}s"]  # fmt: skip


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    days = lived(
        read_policy_texts([("chat.yaml", POLICY)]).policies[0],
        name=NAME,
        started_at=STARTED_AT,
        hours=8.0,
        seed=1,
        replicas=9.0,
    )
    text = metrics(days, gap=GAP)
    with backfilled_prometheus(tmp_path_factory.mktemp("recorded"), text) as url:
        yield Past(url, days)


@pytest.fixture
def trimtab() -> Trimtab:
    def run(*arguments: object) -> Result:
        words = [str(one) for one in arguments]
        return CliRunner().invoke(build_app(words), words, env={"NO_COLOR": "1", "COLUMNS": "200"})

    return run


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "chat.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def test_the_policy_that_was_in_force_asks_for_the_same_counts_again(
    trimtab: Trimtab, past: Past, policy: Path
) -> None:
    """Each order is in the metrics one step after it was given; until the gap every count is the same."""
    result = trimtab("backtest", "--policy", policy, *past.arguments, "--json", "-")
    assert result.exit_code == ExitCode.CLEAN, result.output
    (one,) = json.loads(result.stdout)["deployments"]
    asked = dict(one["would_have"]["asked"])
    count, again = 0, []
    for seen in past.days.seen[: GAP.start]:
        count = asked.get(seen.at, count)
        again.append(count)
    assert again[:-1] == [seen.asked for seen in past.days.seen[1 : GAP.start]]
    assert one["difference"]["replica_hours_share"]["value"] == pytest.approx(0.0, abs=0.01)
    assert one["unknown"]["compared_share"] == pytest.approx(1 - len(GAP) / 960, abs=0.003)
    assert one["unknown"]["signals"]["requests"] == pytest.approx(len(GAP) / 960, abs=0.01)


def test_a_policy_with_more_room_costs_more_and_misses_less(
    trimtab: Trimtab, past: Past, policy: Path, tmp_path: Path
) -> None:
    policy.write_text(POLICY.replace(f"{CAPACITY:.4g}", f"{0.7 * CAPACITY:.4g}"), encoding="utf-8")
    result = trimtab(
        "backtest", "--policy", policy, *past.arguments, "--slo", "slo_share>=0.9",
        "--price", "7", "--html", tmp_path / "report.html", "--json", tmp_path / "report.json",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    (one,) = json.loads((tmp_path / "report.json").read_text())["deployments"]
    assert one["difference"]["replica_hours_share"]["value"] > 0.2
    assert one["difference"]["missed_share"]["high"] < 0.0
    assert one["assumed"]["capacity_requests_per_second"]["origin"].startswith("fitted to when")
    assert one["assumed"]["lead_time"]["origin"].startswith("of ")
    page = (tmp_path / "report.html").read_text()
    assert "as it was" in page
    assert "Replica counts are known for" in page
    assert re.search(r"^  difference +\+\d", result.stdout, re.MULTILINE)


def test_a_quota_of_a_fleet_holds_for_the_accelerators_that_people_say_there_are(
    trimtab: Trimtab, past: Past, policy: Path, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        "apiVersion: trimtab.dev/v1\nkind: Fleet\nmetadata: {name: acme}\n"
        "spec: {quotas: [{accelerator: NVIDIA_H100_80GB, max: 24}]}\n",
        encoding="utf-8",
    )
    result = trimtab(
        "backtest", "--policy", policy, "--policy", fleet, *past.arguments, "--json", "-",
        "--shape", "chat=NVIDIA_H100_80GB:4",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    found = json.loads(result.stdout)
    (one,) = found["deployments"]
    assert max(count for _, count in one["was"]["asked"]) > 6
    (use,) = found["fleet"]["would_have"]["fleet"]["accelerators"]
    assert use["quota"] == 24
    after_the_start = use["over_time"]["most"][12:]
    assert max(one for one in after_the_start if one is not None) == 24.0
    assert one["would_have"]["cost_usd"] == pytest.approx(
        7.0 * one["would_have"]["accelerator_hours"]
    ), "the shipped price"
    (short,) = found["fleet"]["would_have"]["fleet"]["short"]
    assert (short["deployment"], short["reason"]) == ("chat", "quota")


def test_what_was_is_not_known_without_counts(trimtab: Trimtab, past: Past, policy: Path) -> None:
    result = trimtab(
        "backtest", "--policy", policy, *past.arguments, "--asked", "nothing", "--ready", "nothing",
        "--capacity", f"{CAPACITY:.4g}",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    assert "What really was is not known" in result.stdout
    assert "as it was" not in result.stdout
    assert "would have been" in result.stdout


def test_a_query_that_is_computed_takes_the_place_of_one_that_is_no_promql(
    trimtab: Trimtab, past: Past, policy: Path
) -> None:
    policy.write_text(
        POLICY.replace("query: requests_per_second", "query: requests/by deployment"),
        encoding="utf-8",
    )
    query = "requests=sum by (deployment) (requests_per_second)"
    result = trimtab(
        "backtest", "--policy", policy, *past.arguments, "--signal", query, "--json", "-"
    )
    assert result.exit_code == ExitCode.CLEAN, result.output
    (one,) = json.loads(result.stdout)["deployments"]
    assert one["difference"]["replica_hours_share"]["value"] == pytest.approx(0.0, abs=0.01)


def test_a_deployment_that_metrics_do_not_describe_is_chosen_by_name(
    trimtab: Trimtab, past: Past, policy: Path
) -> None:
    policy.write_text(POLICY.replace('"chat*"', '"Chat (production)"'), encoding="utf-8")
    refused = trimtab("backtest", "--policy", policy, *past.arguments)
    assert refused.exit_code == ExitCode.USAGE
    assert f"chat selects none of the deployments that {past.url}" in refused.stderr
    assert "name one with --deployment" in refused.stderr
    chosen = trimtab("backtest", "--policy", policy, *past.arguments, "--deployment", "chat")
    assert chosen.exit_code == ExitCode.CLEAN, chosen.output
    assert NAME in chosen.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--until", "2020-01-01"], ExitCode.USAGE, "holds nothing of `requests_per_second` whose"),
        (["--range", "9000d"], ExitCode.USAGE, "give a shorter --range, or --step"),
        (["--deployment", "chta"], ExitCode.USAGE, "deployment 'chta'; did you mean chat?"),
        (["--requests", "sum(rate("], ExitCode.FAILED, "was refused"),
        (["--label", "pod"], ExitCode.USAGE, "without the label 'pod'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    trimtab: Trimtab, past: Past, policy: Path, arguments: list[str], code: ExitCode, sentence: str
) -> None:
    result = trimtab("backtest", "--policy", policy, *past.arguments, *arguments)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("trimtab backtest: ")


def test_a_server_that_is_not_there_is_told_with_the_remedy(trimtab: Trimtab, policy: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = trimtab("backtest", "--policy", policy, "--prometheus", url)
    assert result.exit_code == ExitCode.FAILED
    assert "cannot be reached" in result.stderr
    assert "check --prometheus" in result.stderr


def test_calibrate_finds_capacity_and_lead_time(
    trimtab: Trimtab, past: Past, tmp_path: Path
) -> None:
    output = tmp_path / "chat.calibrated.yaml"
    arguments = [
        "calibrate", *past.arguments, "--requests", "requests_per_second", "--in-flight", "in_flight",
        "--slo", "slo_share>=0.9", "--output", output,
    ]  # fmt: skip
    result = trimtab(*arguments)
    assert result.exit_code == ExitCode.CLEAN, result.output
    text = output.read_text(encoding="utf-8")
    spec = yaml.safe_load(text)["spec"]
    capacity = spec["rules"][0]["strategy"]["capacity"]
    assert capacity["requestsPerSecond"] == pytest.approx(CAPACITY, rel=0.05)
    assert float(spec["leadTime"].removesuffix("s")) == pytest.approx(LEAD_SECONDS, abs=45.0)
    assert f"# Calibrated for {NAME} from {past.url}" in text
    again = trimtab(*arguments)
    assert again.exit_code == ExitCode.USAGE
    assert "is there already, and is left as it is" in again.stderr
    assert output.read_text(encoding="utf-8") == text


def test_calibrate_says_why_where_nothing_can_be_found(trimtab: Trimtab, past: Past) -> None:
    result = trimtab(
        "calibrate", *past.arguments, "--requests", "requests_per_second", "--asked", "nothing",
        "--ready", "nothing",
    )  # fmt: skip
    assert result.exit_code == ExitCode.FAILED
    assert "# capacity: not known. Nothing tells how many replicas served" in result.stdout
    assert "# leadTime: not known. Nothing tells how many replicas were asked for" in result.stdout
