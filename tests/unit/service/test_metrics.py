from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from scripted_world import (
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    a_source_failure,
    pass_time,
)

from trimtab.clock import ManualClock
from trimtab.core.deployment import Shape
from trimtab.errors import ErrorKind
from trimtab.service import metric_names
from trimtab.service.daemon import Daemon
from trimtab.service.metric_names import Metric

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

METRICS = [one for one in vars(metric_names).values() if isinstance(one, Metric)]


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        shape = Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4)
        self.target = ScriptedTarget().hold(a_deployment(CHAT, shape=shape), a_deployment(CODE))
        self.source = ScriptedSource(self.clock, load=30.0)
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[a_policy(owner="ml")],
            random=Random(1),
        )

    @property
    def text(self) -> str:
        return generate_latest(self.daemon.instruments.registry).decode()

    def samples(self) -> list[Sample]:
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


async def test_what_is_unknown_is_absent_not_zero() -> None:
    scene = Scene()
    scene.source.load = None
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        assert scene.value(metric_names.WANTED, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_VALUE, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_AGE, deployment=CHAT) is None
        assert scene.value(metric_names.SIGNAL_USABLE, deployment=CHAT) == 0
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
        assert scene.value(metric_names.POLICY_DEPLOYMENTS, policy="chat-prod") == 2


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
        assert metric.name.endswith("_total") == (types[metric.name] == "counter"), metric.name
        assert metric.help.endswith(".")
        assert not {"namespace", "pod", "job", "instance"} & set(metric.labels)
    assert "_created" not in text
