from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from scripted_world import (
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    a_reading,
    a_source_failure,
    pass_time,
)
from tests.servers.process import binary

from trimtab.clock import ManualClock
from trimtab.core.decision import WriteStatus
from trimtab.core.deployment import Shape
from trimtab.core.facts import Facts
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    FleetPolicy,
    Period,
    Pool,
    Price,
    Quota,
    QuotaSource,
    SpendLimit,
)
from trimtab.core.policy import Rule
from trimtab.core.roles import Role
from trimtab.core.sharing import Sharing
from trimtab.core.signals import Sample
from trimtab.core.strategies.capacity import Capacity
from trimtab.errors import ErrorKind
from trimtab.policy.prices import SHIPPED_PRICES
from trimtab.service import fleet_metric_names, metric_names, rule_metric_names
from trimtab.service.daemon import Daemon
from trimtab.service.fleet_collector import FleetCollector
from trimtab.service.fleet_quotas import FleetQuotas
from trimtab.service.metric_families import all_metrics, kind_of
from trimtab.service.metric_names import Metric
from trimtab.targets.port import AccountQuotas, WriteResult

if TYPE_CHECKING:
    from prometheus_client.samples import Sample as Line

METRICS = set(all_metrics())


ORDERS_AHEAD = (
    Rule(
        name="ahead",
        role=Role.DEMAND,
        strategy=Capacity(requests="load", requests_per_second=10.0, attainment=0.98),
    ),
)


class Scene:
    def __init__(self, *, fleet: FleetPolicy = NO_FLEET_POLICY, **policy: Any) -> None:
        self.clock = ManualClock(START)
        shape = Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4)
        self.target = ScriptedTarget().hold(a_deployment(CHAT, shape=shape), a_deployment(CODE))
        self.source = ScriptedSource(self.clock, load=30.0)
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[a_policy(owner="ml", **policy)],
            fleet_policy=fleet,
            random=Random(1),
        )

    @property
    def text(self) -> str:
        return generate_latest(self.daemon.instruments.registry).decode()

    def samples(self) -> list[Line]:
        return [
            sample
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        ]

    def value(self, metric: Metric, **labels: str) -> float | None:
        found = [
            sample.value
            for sample in self.samples()
            if sample.name == metric.name and labels.items() <= sample.labels.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None


async def test_a_deployment_is_described_in_full_and_its_series_end_with_it() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        expected = {
            metric_names.CURRENT: 3,
            metric_names.DESIRED: 3,
            metric_names.WANTED: 3,
            metric_names.MIN: 1,
            metric_names.MAX: 10,
            metric_names.READY: 3,
            metric_names.ON_THEIR_WAY: 0,
            metric_names.IN_FLIGHT: 0,
            metric_names.ACCELERATORS: 12,
            metric_names.SIGNAL_VALUE: 30,
            metric_names.SIGNAL_USABLE: 1,
            metric_names.SIGNAL_BLOCKS: None,
            metric_names.ALLOWED: 3,
            rule_metric_names.PROPOSED: 3,
        }
        for metric, value in expected.items():
            found = scene.value(metric, deployment=CHAT, policy="chat-prod")
            assert (metric.name, found) == (metric.name, value)
        assert scene.value(metric_names.HOLD, deployment=CHAT, reason="steady") == 1
        assert scene.value(metric_names.STATE, deployment=CHAT, state="READY") == 1
        assert scene.value(metric_names.HELD, reason="steady") == 2
        del scene.target.deployments[CHAT]
        await pass_time(scene.clock, 20.0)
        assert CHAT not in scene.text
        assert CODE in scene.text


async def test_what_a_strategy_knows_is_told_in_numbers_while_it_knows_it() -> None:
    scene = Scene(rules=ORDERS_AHEAD)
    of_chat = {"deployment": CHAT, "policy": "chat-prod", "rule": "ahead"}
    async with scene.daemon:
        await pass_time(scene.clock, 90.0)
        assert scene.value(rule_metric_names.LOAD, **of_chat) == pytest.approx(3.0)
        assert scene.value(rule_metric_names.FORECAST, **of_chat) == pytest.approx(3.0)
        assert scene.value(rule_metric_names.MISSED_MAX, **of_chat) == pytest.approx(0.02)
        assert scene.value(rule_metric_names.CAPACITY, **of_chat) == 10.0
        horizon = scene.value(rule_metric_names.HORIZON, **of_chat)
        lead = scene.value(metric_names.LEAD_TIME, deployment=CHAT, share="0.9")
        assert horizon is not None
        assert lead is not None
        assert lead <= horizon <= lead + 120.0
        spare = scene.value(rule_metric_names.SPARE, **of_chat)
        wanted = scene.value(metric_names.WANTED, deployment=CHAT)
        assert wanted is not None
        assert spare == pytest.approx(wanted - 3.0)
        scene.source.load = None
        await pass_time(scene.clock, 150.0)
        assert "trimtab_strategy_load_replicas{" not in scene.text, "what is not known is absent"
        del scene.target.deployments[CHAT]
        await pass_time(scene.clock, 20.0)
        assert CHAT not in scene.text


async def test_a_strategy_without_such_numbers_has_no_series_of_them() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert re.findall(r"^trimtab_strategy_\w+", scene.text, re.MULTILINE) == []


def test_every_fact_is_a_metric() -> None:
    told = {
        one.name.removeprefix("trimtab_strategy_") for one in METRICS if "_strategy_" in one.name
    }
    words = {"_".join(sorted(name.split("_"))) for name in told}
    assert len(told) == len(Facts._fields)
    for field in Facts._fields:
        name = {"horizon_seconds": "forecast_horizon_seconds"}.get(field, field)
        assert "_".join(sorted(name.split("_"))) in words, field


async def test_what_is_unknown_is_absent_not_zero() -> None:
    scene = Scene()
    scene.source.load = None
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(metric_names.WANTED, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_VALUE, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_AGE, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_USABLE, deployment=CHAT) == 0
        assert scene.value(metric_names.SIGNAL_BLOCKS, deployment=CHAT, blocks="down") == 1
        assert scene.value(metric_names.ACCELERATORS, deployment=CODE) is None, "unknown shape"


def test_before_the_first_reading_nothing_pretends_to_have_happened() -> None:
    scene = Scene()
    assert scene.value(metric_names.LAST_EVALUATION) is None
    assert scene.value(metric_names.TARGET_LAST_READ) is None
    assert scene.value(metric_names.TARGET_READABLE, target="accounts/acme") == 0


def test_known_label_sets_begin_at_zero() -> None:
    scene = Scene()
    assert scene.value(metric_names.WRITES, outcome="applied", direction="up") == 0
    assert scene.value(metric_names.DECISIONS, verdict="hold", reason="missing_data") == 0
    assert scene.value(metric_names.DECISIONS, verdict="scale_up", reason="demand") == 0
    assert scene.value(metric_names.WITHHELD, reason="backing_off") == 0
    assert scene.value(metric_names.EVENTS, kind="gone") == 0
    assert (
        scene.value(metric_names.TARGET_REQUESTS, target="accounts/acme", verb="list", outcome="ok")
        == 0
    )
    assert (
        scene.value(metric_names.SOURCE_POLLS, source="gateway", endpoint="here", outcome="timeout")
        == 0
    )


async def test_what_the_daemon_does_is_counted() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 10.0)
        scene.source.failure = a_source_failure(ErrorKind.TIMEOUT)
        await pass_time(scene.clock, 60.0)
        assert scene.value(metric_names.WRITES, outcome="applied", direction="up") == 2
        assert scene.value(metric_names.DECISIONS, verdict="scale_up", reason="demand") == 2
        assert scene.value(metric_names.EVENTS, kind="adopted") == 2
        assert scene.value(metric_names.SOURCE_POLLS, outcome="ok") == 1
        assert scene.value(metric_names.SOURCE_POLLS, outcome="timeout") == 2
        assert scene.value(metric_names.SOURCE_SAMPLES, source="gateway") == 2
        assert scene.value(metric_names.TARGET_REQUESTS, verb="write", outcome="ok") == 2
        assert scene.value(metric_names.LAST_EVALUATION) == scene.daemon.status().ticked_at
        assert scene.value(metric_names.TICK_INTERVAL) == scene.daemon.timing.tick_interval_seconds
        assert scene.value(metric_names.POLICY_DEPLOYMENTS, policy="chat-prod") == 2


def test_what_accounts_say_of_their_quotas_is_told_as_they_said_it() -> None:
    quotas = FleetQuotas(["accounts/one", "accounts/other", "accounts/silent"])
    quotas.take(
        "accounts/one",
        AccountQuotas(at=START, readings=(a_reading(16, 12.5),), not_understood=("gb300",)),
    )
    quotas.fail("accounts/other", a_failure(ErrorKind.FORBIDDEN), START)
    registry = CollectorRegistry()
    registry.register(FleetCollector(quotas, lambda: Sharing(NO_FLEET_POLICY)))

    def value(metric: Metric, target: str, **labels: str) -> float | None:
        return registry.get_sample_value(metric.name, {"target": target} | labels)

    h100 = {"accelerator_type": "NVIDIA_H100_80GB", "region": ""}
    names = fleet_metric_names
    assert value(names.ACCOUNT_QUOTA, "accounts/one", **h100) == 16
    assert value(names.ACCOUNT_USED, "accounts/one", **h100) == 12.5
    assert value(names.QUOTAS_NOT_UNDERSTOOD, "accounts/one") == 1
    assert value(names.QUOTAS_LAST_READ, "accounts/one") == START
    readable = [
        value(names.QUOTAS_READABLE, f"accounts/{account}")
        for account in ("one", "other", "silent")
    ]
    assert readable == [1, 0, None], "nobody asked the third"
    assert value(names.QUOTAS_LAST_READ, "accounts/other") is None, "never is not 1970"


async def test_what_deployments_share_is_told_with_who_limits_it() -> None:
    h100 = {"accelerator_type": "NVIDIA_H100_80GB", "region": ""}
    quota = Quota(Pool("NVIDIA_H100_80GB"), 8, QuotaSource.FILE)
    names = fleet_metric_names
    scene = Scene(fleet=FleetPolicy(quotas=(quota,)))
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(names.QUOTA, **h100, source="file") == 8
        assert scene.value(names.HELD, **h100) == 8, "two replicas of four"
        assert scene.value(names.ELSEWHERE, **h100) == 0
        assert scene.value(metric_names.HOLD, deployment=CHAT, reason="at_max") == 1
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert "trimtab_fleet_quota_accelerators{" not in scene.text, "nothing is shared"


async def test_money_is_told_with_its_limits_and_what_has_no_price_apart() -> None:
    names = fleet_metric_names
    limit = SpendLimit(period=Period.MONTH, usd=100_000.0)
    price = {"NVIDIA_H100_80GB": Price(7.0, "a test")}
    scene = Scene(fleet=FleetPolicy(prices=price, spend_limits=(limit,)))
    async with scene.daemon:
        await pass_time(scene.clock, 300.0)
        assert scene.value(names.SPEND_RATE) == 3 * 4 * 7.0
        assert scene.value(names.UNPRICED) == 0
        spent = scene.value(names.SPENT, period="month") or 0.0
        assert 84.0 * 200 / 3600 < spent <= 84.0 * 300 / 3600
        assert scene.value(names.SPENT_ASSUMED, period="month") == 0
        assert scene.value(names.SPEND_LIMIT, period="month") == 100_000
        assert scene.value(names.SPEND_LIMIT, period="day") is None, "there is none"
        assert scene.value(names.SPEND_TRIMMING, period="month") == 0
    small = SpendLimit(period=Period.MONTH, usd=1000.0)
    scene = Scene(fleet=FleetPolicy(prices=price, spend_limits=(small,)))
    async with scene.daemon:
        await pass_time(scene.clock, 300.0)
        assert scene.value(names.SPEND_RATE) == 28.0, "the lower bound goes on"
        assert scene.value(names.SPEND_TRIMMING, period="month") == 1
    scene = Scene(fleet=FleetPolicy(prices={"AMD_MI300X_192GB": Price(3.0, "a test")}))
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(names.UNPRICED) == 12
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(names.SPEND_RATE) is None, "nothing is shared"


async def test_every_name_is_exposed_and_nothing_else_is() -> None:
    scene = Scene()
    scene.daemon._audience.task_ended("decide", None, 1.0)
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        exposed = set(re.findall(r"^# TYPE (\S+)", scene.text, re.MULTILINE))
    assert exposed == {metric.name for metric in METRICS}


async def test_names_and_labels_follow_the_conventions() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        text = scene.text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))
    for metric in METRICS:
        assert re.fullmatch(r"trimtab_[a-z0-9_]+", metric.name)
        assert (metric.name, types[metric.name]) == (metric.name, kind_of(metric))
        assert metric.help.endswith(".")
        assert not {"namespace", "pod", "job", "instance"} & set(metric.labels)
        # OpenMetrics calls the family of a counter without _total: no gauge may have that name.
        assert f"{metric.name}_total" not in types
    assert "_created" not in text


async def test_what_the_bounds_leave_of_a_wish_says_which_of_them_cut_it() -> None:
    scene = Scene()
    scene.source.load = 30.0
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(metric_names.ALLOWED, deployment=CHAT, bound="none") == 3
        scene.source.load = 500.0
        await pass_time(scene.clock, 60.0)
        assert scene.value(metric_names.WANTED, deployment=CHAT) == 50
        assert scene.value(metric_names.ALLOWED, deployment=CHAT, bound="deployment") == 10
        scene.source.load = None
        await pass_time(scene.clock, 300.0, step=2.0)
        assert scene.value(metric_names.ALLOWED, deployment=CHAT) is None, "nothing is wanted"


async def test_without_a_fleet_file_cost_is_told_by_the_shipped_prices() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        each = SHIPPED_PRICES["NVIDIA_H100_80GB"].usd_an_hour
        assert scene.value(metric_names.SPEND_RATE, deployment=CHAT) == 3 * 4 * each
        assert scene.value(metric_names.SPEND_RATE, deployment=CODE) is None, "its shape is unknown"


async def test_expiry_cost_and_failing_writes_of_a_deployment_are_told_while_there_are_any() -> (
    None
):
    price = {"NVIDIA_H100_80GB": Price(7.0, "a test")}
    scene = Scene(fleet=FleetPolicy(prices=price))
    chat = scene.target.deployments[CHAT]
    scene.target.deployments[CHAT] = replace(chat, expires_at=START + 86_400.0)
    refused = WriteResult(
        status=WriteStatus.NOT_APPLIED, sentence="no", error_kind=ErrorKind.FORBIDDEN
    )
    scene.target.answers.extend([refused] * 4)
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(metric_names.EXPIRY, deployment=CHAT) == START + 86_400.0
        assert scene.value(metric_names.EXPIRY, deployment=CODE) is None, "never is not 1970"
        assert scene.value(metric_names.WRITE_FAILURES, deployment=CHAT, error_kind="forbidden")
        assert scene.value(metric_names.SPEND_RATE, deployment=CHAT) == 2 * 4 * 7.0
        assert scene.value(metric_names.SPEND_RATE, deployment=CODE) is None, "its shape is unknown"
        assert scene.value(metric_names.STUCK_SINCE, deployment=CHAT) is None
        scene.target.answers.clear()
        await pass_time(scene.clock, 1200.0, step=5.0)
        assert scene.value(metric_names.WRITE_FAILURES, deployment=CHAT) is None, "one has worked"


async def test_replicas_that_do_not_come_are_stuck_since_a_time() -> None:
    scene = Scene(stuck_after_seconds=120.0)
    scene.target.is_lazy = True
    async with scene.daemon:
        await pass_time(scene.clock, 300.0, step=1.0)
        since = scene.value(metric_names.STUCK_SINCE, deployment=CHAT)
        assert since is not None
        assert START + 120.0 <= since <= START + 180.0
        assert scene.value(metric_names.ON_THEIR_WAY, deployment=CHAT) == 1


async def test_a_process_that_waits_for_its_journal_is_not_the_leader() -> None:
    scene = Scene()
    assert scene.value(metric_names.LEADER) == 0, "nothing was recalled yet"
    async with scene.daemon:
        await pass_time(scene.clock, 10.0)
        assert scene.value(metric_names.LEADER) == 1


async def test_how_late_evaluations_are_and_what_waits_is_told() -> None:
    scene = Scene()
    lag = metric_names.EVALUATION_LAG.name
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        daemon = scene.daemon
        daemon._deciding.trigger.wake([CHAT, CODE])
        daemon._deciding.inbox.add([Sample(CHAT, "load", scene.clock.now(), 1.0)])
        assert scene.value(metric_names.EVALUATIONS_WAITING) == 2
        assert scene.value(metric_names.SAMPLES_WAITING) == 1
        before = scene.daemon.instruments.registry.get_sample_value(f"{lag}_sum")
        scene.clock.advance(7.0)  # the loop could not run
        await pass_time(scene.clock, 1.0)
        after = scene.daemon.instruments.registry.get_sample_value(f"{lag}_sum")
        assert scene.value(metric_names.EVALUATIONS_WAITING) == 0
        assert scene.value(metric_names.SAMPLES_WAITING) == 0
    assert before is not None
    assert after is not None
    assert 6.9 <= after - before <= 8.0


async def test_promtool_has_nothing_against_any_of_it() -> None:
    promtool = binary("promtool")
    scene = Scene(rules=ORDERS_AHEAD)
    async with scene.daemon:
        await pass_time(scene.clock, 90.0)
        text = scene.text
    told = [line for line in text.splitlines() if "trimtab_strategy_" in line]
    assert len(told) == 4 * len(Facts._fields), "two lines of head and two deployments each"
    checked = await asyncio.to_thread(
        subprocess.run,
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
