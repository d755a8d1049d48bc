"""No scaler can know what is yet to come: the same past gives the same decisions, whatever follows it.

Every strategy that ships, and every peer, decides on a load and on the same load with its future
replaced. Up to the moment of replacement all that it hears and all that it decides must be the same,
trails included; not one field of one step of a trail may tell of what comes later.

Seen to be caught: measurements that tell the load of the coming tick, arrivals whose draws run backwards
in time, a load scaled by the mean of an hour that is not over, and the scaler below that looks into the
workload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.decision import Tick
from trimtab.plant import SERVING_MODELS, Slo, Workload
from trimtab.policy.loader import read_policy_texts
from trimtab.policy.registry import BUILT_IN
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.inputs import (
    PRESETS,
    SYNTHETIC,
    ScaledWorkload,
    part,
    spliced,
    start_times_of,
)
from trimtab.simulation.observation import Observation
from trimtab.simulation.peers import CATALOGUE, size
from trimtab.simulation.scaler import FleetScaler, Scaler
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.timeline import Timeline
from trimtab.simulation.world import run

PRESET = PRESETS["8b-h100"]
CHAT = "accounts/acme/deployments/chat"
LEADER = "accounts/acme/deployments/leader"
SPAN = 2400
REPLICAS_MAX = 30

HEAD = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{name: {deployment}}}
  bounds: {{min: 0, max: 30}}
  signals:
    requests: {{source: prometheus, query: requests_per_second, per: deployment, maxAge: 150s}}
    prompts: {{source: prometheus, query: prompt_tokens_per_second, per: deployment, maxAge: 150s}}
    running: {{source: prometheus, query: in_flight, per: deployment, maxAge: 150s}}
    concurrency:
      source: fireworks
      query: requests_coordinator_concurrent_count:avg_by_deployment
      per: replica
      maxAge: 150s
"""

# At least one rule for each strategy that a policy can name; what follows the name tells them apart.
RULES: dict[str, str] = {
    "capacity, learned": "{type: capacity, requests: requests, inFlight: running}",
    "capacity, given": """
        type: capacity
        requests: requests
        capacity: {requestsPerSecond: 20}""",
    "capacity, of tokens": """
        type: capacity
        promptTokens: prompts
        inFlight: running
        capacity: {promptTokensPerSecond: 30000, inFlight: 120}""",
    "capacity, in flight": "{type: capacity, inFlight: running, capacity: {inFlight: 120}}",
    "target": "{type: target, signal: requests, target: 15}",
    "panic-window": "{type: panic-window, signal: concurrency, target: 60}",
    "queue": "{type: queue, signal: running, target: 60, upscaleDelay: 30s, downscaleDelay: 2m}",
    "step": """
        type: step
        signal: concurrency
        steps: [{above: 40, for: 2, add: 2}, {below: 10, for: 3, remove: 1}]""",
    "threshold": """
        {type: threshold, signal: concurrency, lowerBound: 30, window: 2m, withinBoundsTrigger: 3,
         delta: 2}""",
    "pass-through": "{type: pass-through, signal: requests}",
    "expression": '{type: expression, expression: "signals.requests / 15.0 + 1.0"}',
    "ratio": f"{{type: ratio, of: {LEADER}, ratio: 0.5}}",
    "schedule": """
        type: schedule
        timezone: UTC
        windows: [{cron: "20 0 * * *", for: 10m, replicas: 7}]""",
    "fixed": "{type: fixed, replicas: 4}",
}

FOLLOWS_NO_LOAD = {"schedule", "fixed"}
ALONE = {"static-peak", "static-mean"}
"""Peers that are sized in hindsight and then never move: there is nothing that they could hear."""


class Heard(NamedTuple):
    """One question to a scaler, and what came of it."""

    seen: Mapping[str, Observation]
    wanted: Mapping[str, int]
    tick: Tick | None


class Listening(FleetScaler):
    """Writes down all that a scaler hears and answers."""

    def __init__(self, inner: FleetScaler, ticks: list[Tick]) -> None:
        self._inner = inner
        self._ticks = ticks
        self.heard: list[Heard] = []

    @property
    def interval_seconds(self) -> float:
        return self._inner.interval_seconds

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        answer = self._inner.wanted(seen)
        tick = self._ticks[-1] if self._ticks else None
        self.heard.append(Heard(dict(seen), dict(answer), tick))
        return answer


class Alone(FleetScaler):
    """A scaler of one deployment, asked about the first."""

    def __init__(self, inner: Scaler) -> None:
        self._inner = inner

    @property
    def interval_seconds(self) -> float:
        return self._inner.interval_seconds

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        return {CHAT: self._inner.wanted(seen[CHAT])}


Build = Callable[[Scenario, list[Tick]], FleetScaler]


def by_policy(rules: str) -> Build:
    """trimtab with one policy for the deployment, and the simplest for the one beside it."""
    texts = [
        ("chat.yaml", HEAD.format(name="chat", deployment=CHAT) + rules),
        ("leader.yaml", HEAD.format(name="leader", deployment=LEADER) + a_rule(RULES["target"])),
    ]

    def build(scenario: Scenario, ticks: list[Tick]) -> FleetScaler:
        report = read_policy_texts(texts)
        assert not report.errors, report.errors
        return EngineScaler(report.policies, scenario, on_tick=ticks.append)

    return build


def a_rule(strategy: str) -> str:
    return (
        f"  rules:\n    - name: rule\n      role: demand\n      strategy: {strategy.lstrip(' ')}\n"
    )


def by_peer(name: str) -> Build:
    peer = CATALOGUE[name]
    sizing = size(
        PRESET.model,
        PRESET.slo,
        prompt_tokens=1155.0,
        output_tokens=211.0,
        lead_time_seconds=180.0,
        replicas_max=REPLICAS_MAX,
        need_mean=6.0,
        need_peak=12.0,
    )

    def build(scenario: Scenario, ticks: list[Tick]) -> FleetScaler:
        built: Any = peer.default(sizing)
        if hasattr(built, "wanted"):
            return Alone(built)
        interval = peer.interval_seconds
        alone = Scenario(cases=scenario.cases[:1], span_seconds=scenario.span_seconds)
        return EngineScaler([built], alone, interval_seconds=interval, on_tick=ticks.append)

    return build


class World(NamedTuple):
    """A world up to ``splits_at`` seconds, and two ways in which it may go on."""

    seed: int
    splits_at: int
    before: Workload
    after: tuple[Workload, Workload]
    lead_seconds: float
    metric_age_seconds: float
    metric_gaps: tuple[tuple[float, float], ...]

    def scenario(self, future: int, *, is_alone: bool) -> Scenario:
        workload = spliced(self.before, self.splits_at, self.after[future])
        chat = Case(
            name=CHAT,
            model=SERVING_MODELS["8b-h100"],
            slo=Slo(ttft_seconds=1.0, tpot_seconds=0.05),
            workload=workload,
            start_times=start_times_of(self.lead_seconds),
            replicas_max=REPLICAS_MAX,
            replicas_at_start=4,
            metric_age_seconds=self.metric_age_seconds,
            metric_gaps=self.metric_gaps,
        )
        leader = Case(
            name=LEADER,
            model=chat.model,
            slo=chat.slo,
            workload=workload,
            start_times=chat.start_times,
            replicas_at_start=4,
        )
        cases = (chat,) if is_alone else (chat, leader)
        return Scenario(cases=cases, span_seconds=SPAN, seed=self.seed)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    def load(height: float) -> Workload:
        one = SYNTHETIC[
            draw(st.sampled_from(["flash", "ramp", "step", "storm", "mix-shift", "sine"]))
        ]
        begin = draw(st.sampled_from([0.0, 3600.0, 7000.0]))
        made = one.workload(seed=draw(st.integers(0, 9)))
        return ScaledWorkload(part(made, begin, one.span_seconds), height)

    gap = draw(st.sampled_from([None, 400.0, 900.0]))
    return World(
        seed=draw(st.integers(0, 2**31)),
        splits_at=draw(st.integers(600, SPAN - 900)),
        before=load(4.0),
        after=(load(2.0), load(12.0)),
        lead_seconds=draw(st.sampled_from([60.0, 180.0])),
        metric_age_seconds=draw(st.sampled_from([0.0, 30.0])),
        metric_gaps=() if gap is None else ((gap, gap + 200.0),),
    )


def lived(
    build: Build, world: World, future: int, *, is_alone: bool = False
) -> tuple[list[Heard], Timeline]:
    scenario = world.scenario(future, is_alone=is_alone)
    ticks: list[Tick] = []
    scaler = Listening(build(scenario, ticks), ticks)
    timelines = run(scenario, scaler)
    return scaler.heard, timelines[CHAT]


def until(heard: list[Heard], world: World) -> list[Heard]:
    """What was heard up to the split, that moment included: then the past is all that there is."""
    first = heard[0].seen[CHAT].at
    return [one for one in heard if one.seen[CHAT].at <= first + world.splits_at]


def check(build: Build, world: World, *, is_alone: bool = False) -> bool:
    """Hold both lives against each other; say whether they ever differ at all."""
    one, its_timeline = lived(build, world, 0, is_alone=is_alone)
    other, other_timeline = lived(build, world, 1, is_alone=is_alone)
    past, same = until(one, world), until(other, world)
    assert len(past) >= world.splits_at // 180
    for mine, theirs in zip(past, same, strict=True):
        assert mine == theirs
    # The futures are different ones indeed, or all this would be empty.
    assert its_timeline.offered.tolist() != other_timeline.offered.tolist()
    return [each.wanted for each in one] != [each.wanted for each in other]


def test_every_strategy_that_ships_is_tried_here() -> None:
    assert {name.partition(",")[0] for name in RULES} == set(BUILT_IN)


@pytest.mark.parametrize("strategy", RULES)
@settings(max_examples=2)
@given(world=worlds())
def test_a_strategy_decides_by_the_past_alone(strategy: str, world: World) -> None:
    check(by_policy(a_rule(RULES[strategy])), world)


@pytest.mark.parametrize("name", CATALOGUE)
@settings(max_examples=2)
@given(world=worlds())
def test_a_peer_decides_by_the_past_alone(name: str, world: World) -> None:
    check(by_peer(name), world, is_alone=True)


STEADY = ScaledWorkload(SYNTHETIC["flat"].workload(), 4.0)
ORDINARY = World(
    seed=7,
    splits_at=1200,
    before=STEADY,
    after=(ScaledWorkload(STEADY, 0.3), ScaledWorkload(STEADY, 3.0)),
    lead_seconds=60.0,
    metric_age_seconds=0.0,
    metric_gaps=(),
)


@pytest.mark.parametrize("strategy", sorted(set(RULES) - FOLLOWS_NO_LOAD))
def test_once_the_load_is_another_a_strategy_that_follows_it_decides_otherwise(
    strategy: str,
) -> None:
    assert check(by_policy(a_rule(RULES[strategy])), ORDINARY)


@pytest.mark.parametrize("name", sorted(set(CATALOGUE) - ALONE))
def test_once_the_load_is_another_a_peer_decides_otherwise(name: str) -> None:
    assert check(by_peer(name), ORDINARY, is_alone=True)


class Foreseeing(Scaler):
    """Looks a minute ahead, into a workload that no scaler is given."""

    interval_seconds = 15.0

    def __init__(self, workload: Workload, started_at: float) -> None:
        self._workload = workload
        self._started_at = started_at

    def wanted(self, seen: Observation) -> int:
        coming = self._workload.load(seen.at - self._started_at + 60.0)
        return max(1, round(coming.requests_per_second / 15.0))


def test_a_scaler_that_knows_what_comes_is_found_out() -> None:
    def build(scenario: Scenario, _: list[Tick]) -> FleetScaler:
        return Alone(Foreseeing(scenario.cases[0].workload, scenario.started_at))

    with pytest.raises(AssertionError):
        check(build, ORDINARY, is_alone=True)
