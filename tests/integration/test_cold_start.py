"""A fresh daemon in front of a real Prometheus that has known a deployment for two weeks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from tests.integration.control_plane import ACCOUNT, KEY, ControlPlane
from tests.servers.prometheus import backfilled_prometheus

from trimtab.clock import SystemClock
from trimtab.core.decision import Decision, Tick
from trimtab.core.forecast.known import Known
from trimtab.journal.history import History
from trimtab.service.daemon import Daemon
from trimtab.service.query_checks import known_sources
from trimtab.service.reload import PolicyFiles
from trimtab.service.replay import replay
from trimtab.service.wiring import build_daemon
from trimtab.settings import load_settings

DAY = 86_400
LOW, HIGH = 20.0, 80.0
"""Requests a second, of which a replica carries 10."""

RISE_SECONDS = 600
SETTINGS = """\
accounts: {ACCOUNT: {base_url: "PLANE", api_key_file: KEY_FILE}}
journal: {path: "JOURNAL"}
tick_interval: 1s
sources:
  prom: {type: prometheus, url: "PROMETHEUS", interval: 1s, history: HISTORY}
"""
POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  bounds: {min: 1, max: 40}
  leadTime: 5m
  signals:
    requests: {source: prom, query: 'sum by (deployment) (rate(requests_total[2m]))', maxAge: 150s}
  rules:
    - name: ahead
      role: demand
      strategy: {type: capacity, requests: requests, capacity: {requestsPerSecond: 10},
                 attainment: 0.9995}
"""


def rate(since_rise: float) -> float:
    """Six hours a day of much, which begin with ten minutes of more and more."""
    into_day = since_rise % DAY
    if into_day < RISE_SECONDS:
        return LOW + (HIGH - LOW) * into_day / RISE_SECONDS
    return HIGH if into_day < 6 * 3600 else LOW


def two_weeks(rises_at: float, until: float) -> str:
    """A counter, scraped once a minute; it begins anew each day, and on the third day nobody scraped."""
    lines = ["# TYPE requests counter"]
    total, began = 0.0, int(rises_at) - 14 * DAY
    for at in range(began - began % 60, int(until), 60):
        total = 0.0 if (at - began) % DAY < 60 else total + 60.0 * rate(at - rises_at)
        if not 3 * DAY <= at - began < 4 * DAY:
            lines.append(f'requests_total{{deployment="chat"}} {total!r} {at}')
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    now = time.time()  # noqa: TID251  the server lives in real time
    # Load rises from a minute from now on, as it has at this time of each day.
    with backfilled_prometheus(
        tmp_path_factory.mktemp("known"), two_weeks(now + 60.0, now + 600.0)
    ) as url:
        yield url


async def decided(prometheus: str, folder: Path, *, history: str, values: int) -> Decision:
    """The first decision that rests on this many cells of load at least, by a daemon without a past."""
    (folder / "key").write_text(KEY)
    latest: list[Decision] = []

    def look(tick: Tick) -> None:
        latest.extend(tick.decisions)

    async with ControlPlane() as plane:
        plane.deployment |= {"desiredReplicaCount": 3, "replicaCount": 3}
        plane.deployment["replicaStats"] = {"readyReplicaCount": 3}
        text = SETTINGS.replace("KEY_FILE", str(folder / "key")).replace("ACCOUNT", ACCOUNT)
        text = text.replace("PLANE", plane.base_url).replace("PROMETHEUS", prometheus)
        text = text.replace("JOURNAL", str(folder / "journal.db")).replace("HISTORY", history)
        (folder / "settings.yaml").write_text(text)
        settings = load_settings(folder / "settings.yaml")
        (folder / "policies").mkdir()
        (folder / "policies" / "chat.yaml").write_text(POLICY)
        files = PolicyFiles(folder / "policies", sources=known_sources(settings))
        report, in_force, _ = files.read()
        assert report.is_valid, report.diagnostics
        daemon = build_daemon(
            settings,
            in_force.policies,
            SystemClock(),
            Random(1),
            policy_files=files,
            on_tick=look,
        )
        async with daemon, asyncio.timeout(120):
            await until(lambda: _cells(daemon) >= values)
            known = _cells(daemon)
            await until(lambda: _cells(daemon) > known)  # until then the count of before stands
            count = len(latest)
            await until(lambda: len(latest) > count)
            return latest[-1]


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  it happens in other processes
        await asyncio.sleep(0.2)


def _cells(daemon: Daemon) -> int:
    """Of how many quarters of a minute the rule knows the load."""
    for memory in daemon.engine.memory.deployments.values():
        match memory.rules.get("ahead"):
            case [_, remembered]:
                known = Known.recalled(remembered)
                if known is not None and known.experience is not None:
                    return known.experience.tally.ticks
    return 0


@pytest.mark.slow
async def test_it_orders_ahead_of_the_usual_rise_in_its_first_minute(
    prometheus: str, tmp_path: Path
) -> None:
    decision = await decided(prometheus, tmp_path, history="14d", values=5000)
    facts = {one.rule: one.facts for one in decision.proposals}["ahead"]
    assert facts is not None
    assert (facts.load_replicas or 0.0) < 3.5
    assert (facts.forecast_replicas or 0.0) > (facts.load_replicas or 0.0) + 1.0
    assert "usual change +" in decision.sentence + " ".join(one.sentence for one in decision.trail)
    assert (decision.wanted or 0) > 1.5 * (facts.load_replicas or 0.0) + 0.5, decision.sentence

    with History(tmp_path / "journal.db") as journal:
        again = replay(journal.sequence())
    assert again.difference is None
    assert again.turns > 0
    assert not again.problems


@pytest.mark.slow
async def test_without_a_past_it_knows_nothing_of_the_rise(prometheus: str, tmp_path: Path) -> None:
    decision = await decided(prometheus, tmp_path, history="0s", values=1)
    facts = {one.rule: one.facts for one in decision.proposals}["ahead"]
    assert facts is not None
    assert facts.forecast_replicas == pytest.approx(facts.load_replicas, abs=0.5)
