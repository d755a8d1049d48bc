"""The engine in a simulation with a fleet policy: whom another one's wish or time alone concerns is decided on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.simulation.test_world import a_case, a_scenario

from trimtab.core.decision import Tick
from trimtab.core.deployment import Deployment, Shape
from trimtab.core.fleet_policy import FleetPolicy, Period, Pool, Price, Quota, SpendLimit
from trimtab.core.policy import Policy
from trimtab.policy import read_policy_texts
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.observation import Measured, Observation

KIND = "NVIDIA_H100_80GB"
MIDNIGHT = 1_767_571_200.0  # of a Monday in UTC
POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: NAME}
spec:
  deployments: {match: {displayName: NAME}}
  bounds: {min: 1, max: 20}
  signals:
    rate: {source: prometheus, query: requests_per_second, maxAge: 5m}
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: rate, target: 10, tolerance: 0}}
  behavior: {scaleDown: {stabilization: 0s, limits: []}, scaleUp: {limits: []}}
"""


def policies(*names: str) -> tuple[Policy, ...]:
    report = read_policy_texts((f"{name}.yaml", POLICY.replace("NAME", name)) for name in names)
    assert report.is_valid, report.diagnostics
    return report.policies


def full(name: str) -> str:
    return f"accounts/acme/deployments/{name}"


class Town:
    """Deployments whose load and replicas are as they are said to be; what is ordered serves at once."""

    def __init__(
        self,
        fleet: FleetPolicy,
        counts: Mapping[str, int],
        started_at: float,
        kind: type[EngineScaler] = EngineScaler,
    ) -> None:
        self.counts = {full(name): count for name, count in counts.items()}
        self.now = started_at
        self.decided: list[str] = []
        self.history: list[tuple[int, ...]] = []
        shape = Shape(accelerator_type=KIND, accelerators_per_replica=1)
        cases = [a_case(name=name, replicas_at_start=count) for name, count in self.counts.items()]
        self._scaler = kind(
            policies(*counts),
            a_scenario(*cases, started_at=started_at),
            described={
                name: Deployment(name=name, display_name=name.rpartition("/")[2], shape=shape)
                for name in self.counts
            },
            fleet=fleet,
            on_tick=self._note,
        )

    def _note(self, tick: Tick) -> None:
        self.decided += [one.deployment for one in tick.decisions]

    def live(self, seconds: float, **rates: float) -> None:
        """Let time pass with these loads, heard anew at every look and always the same."""
        for _ in range(round(seconds / 15.0)):
            seen = {}
            for name, count in self.counts.items():
                rate = rates[name.rpartition("/")[2]]
                told = Measured(rate, 0.0, 0.0, 0.0, 0.0, 0.0, None, None)
                seen[name] = Observation(self.now, count, count, told, self.now)
            self.counts.update(self._scaler.wanted(seen))
            self.history.append(tuple(self.counts.values()))
            self.now += 15.0

    def of(self, name: str) -> int:
        return self.counts[full(name)]


def test_what_one_gives_back_goes_to_the_other_at_the_very_look() -> None:
    town = Town(FleetPolicy(quotas=(Quota(Pool(KIND), 8),)), {"a": 5, "b": 3}, MIDNIGHT)
    town.live(300.0, a=50.0, b=60.0)
    assert (town.of("a"), town.of("b")) == (5, 3)
    town.live(30.0, a=20.0, b=60.0)
    assert (town.of("a"), town.of("b")) == (2, 6)


def test_a_budget_that_begins_anew_is_seen_at_midnight_though_nothing_else_happens() -> None:
    fleet = FleetPolicy(
        prices={KIND: Price(7.0, "a test")},
        spend_limits=(SpendLimit(period=Period.DAY, usd=130.0),),
    )
    town = Town(fleet, {"a": 5}, MIDNIGHT - 4 * 3600.0)
    town.live(4 * 3600.0, a=50.0)
    assert town.of("a") < 5, "140 dollars would have been 5 for four hours"
    before = len(town.decided)
    town.live(60.0, a=50.0)
    assert town.of("a") == 5
    assert 0 < len(town.decided) - before < 5
    assert before < 4 * 240 / 4, "most looks find nothing to decide"


def test_money_is_added_up_while_nothing_happens() -> None:
    fleet = FleetPolicy(prices={KIND: Price(7.0, "a test")})
    town = Town(fleet, {"a": 5}, MIDNIGHT)
    town.live(3600.0, a=50.0)
    day = town._scaler.engine.shared.spending.day
    assert day is not None
    assert day.usd == pytest.approx(35.0, rel=0.03)
    assert day.assumed_usd == 0.0
