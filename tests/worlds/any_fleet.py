"""Any policies and any deployments: what the generated lives of the property tests begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st
from tests.worlds.engine_world import START

from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.expressions import Answer
from trimtab.core.policy import (
    NO_DAMPING,
    Actuation,
    AtExpiry,
    Damping,
    Fallback,
    HoldRule,
    Limit,
    Mode,
    MoveRules,
    Policy,
    Rule,
    ScaleToZero,
    Select,
    Selector,
    WhileUpdating,
)
from trimtab.core.proposals import View
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import OnMissing, Per, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.target import Target

T = TypeVar("T")

NAMES = ("accounts/acme/deployments/a", "accounts/acme/deployments/b")
SIGNALS = ("total", "average")

limits = st.builds(
    lambda period, kind, amount: Limit(period_seconds=period, **{kind: amount}),
    st.sampled_from([15.0, 60.0, 300.0]),
    st.sampled_from(["percent", "replicas"]),
    st.integers(1, 100),
)


@dataclass(frozen=True)
class Above:
    """A condition: some signal is above a threshold."""

    signal: str
    threshold: float

    @property
    def text(self) -> str:
        return f"signals.{self.signal} > {self.threshold}"

    @property
    def signals(self) -> tuple[str, ...]:
        return (self.signal,)

    def evaluate(self, view: View) -> Answer:
        value = view.readings[self.signal].value
        return Answer(value=None if value is None else value > self.threshold, sentence=self.text)


dampings = st.builds(
    Damping,
    stabilization_seconds=st.sampled_from([0.0, 60.0]),
    cooldown_seconds=st.sampled_from([0.0, 90.0]),
)
holds = st.builds(
    HoldRule,
    name=st.just("hold"),
    condition=st.builds(Above, st.sampled_from(SIGNALS), st.sampled_from([5.0, 30.0])),
    blocks=st.sampled_from(Blocks),
)


def move_rules(*stabilizations: float) -> st.SearchStrategy[MoveRules]:
    return st.builds(
        MoveRules,
        stabilization_seconds=st.sampled_from(stabilizations),
        limits=st.lists(limits, max_size=2).map(tuple),
        select=st.sampled_from(Select),
        cooldown_seconds=st.sampled_from([0.0, 0.0, 45.0]),
    )


signals = st.tuples(
    st.builds(
        SignalSpec,
        name=st.just("total"),
        source=st.just("s"),
        query=st.just("q"),
        max_age_seconds=st.sampled_from([20.0, 90.0]),
        missing_up=st.sampled_from(OnMissing),
    ),
    st.builds(
        SignalSpec,
        name=st.just("average"),
        source=st.just("s"),
        query=st.just("q"),
        max_age_seconds=st.sampled_from([20.0, 90.0]),
        per=st.just(Per.REPLICA),
        missing_up=st.sampled_from(OnMissing),
    ),
)

demands = st.lists(
    st.builds(
        lambda name, up, down: Rule(
            name=f"by-{name}",
            role=Role.DEMAND,
            strategy=Target(signal=name, target=10.0),
            up=up,
            down=down,
        ),
        st.sampled_from(SIGNALS),
        st.sampled_from([NO_DAMPING]) | dampings,
        st.sampled_from([NO_DAMPING]) | dampings,
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one.name,
)
limits_by_rule = st.lists(
    st.builds(
        lambda role, count: Rule(name=f"{role}-{count}", role=role, strategy=Fixed(replicas=count)),
        st.sampled_from([Role.FLOOR, Role.CEILING]),
        st.integers(0, 12),
    ),
    max_size=2,
    unique_by=lambda one: one.name,
)


def rarely(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.sampled_from([0, 1, 2]).flatmap(lambda die: st.none() if die else strategy)


@st.composite
def policies(draw: st.DrawFn, name: str) -> Policy:
    low = draw(rarely(st.integers(0, 6)))
    high = draw(rarely(st.integers(low or 0, 14)))
    return Policy(
        name=f"policy-of-{name[-1]}",
        selector=Selector(name=name),
        signals=draw(signals),
        rules=tuple(draw(demands) + draw(limits_by_rule)),
        mode=draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, Mode.ADVISE])),
        actuation=draw(st.sampled_from(Actuation)),
        min_replicas=low,
        max_replicas=high,
        holds=tuple(draw(st.lists(holds, max_size=1))),
        fallback=draw(
            rarely(
                st.builds(
                    Fallback,
                    after_seconds=st.sampled_from([0.0, 100.0]),
                    replicas=st.none() | st.integers(0, 12),
                )
            )
        ),
        scale_to_zero=draw(
            rarely(
                st.builds(
                    ScaleToZero,
                    after_seconds=st.sampled_from([0.0, 60.0]),
                    wake_on=st.sampled_from([("total",), SIGNALS]),
                )
            )
        ),
        accelerators_max=draw(rarely(st.integers(0, 60))),
        up=draw(move_rules(0.0, 30.0, 120.0)),
        down=draw(move_rules(0.0, 60.0, 300.0)),
        while_updating=draw(st.sampled_from(WhileUpdating)),
        at_expiry=draw(st.sampled_from(AtExpiry)),
        minimum_useful_seconds=draw(st.sampled_from([0.0, 600.0])),
        out_of_band_grace_seconds=draw(st.sampled_from([0.0, 120.0, 120.0])),
        stuck_after_seconds=draw(st.sampled_from([None, 60.0, 400.0])),
        fallback_to=draw(st.sampled_from([(), tuple(other for other in NAMES if other != name)])),
    )


@st.composite
def deployments(draw: st.DrawFn, name: str) -> Deployment:
    low = draw(st.sampled_from([0, 1, 1, 2, 5]))
    high = draw(st.sampled_from([low, low + 3, 12, 12, None]))
    desired = draw(st.integers(low, 12 if high is None else high))
    return Deployment(
        name=name,
        state=draw(
            st.sampled_from([State.READY, State.READY, State.READY, State.READY, State.CREATING])
        ),
        min_replicas=low,
        max_replicas=high,
        desired_replicas=desired,
        replica_count=desired,
        pipeline=Pipeline(ready=desired),
        shape=draw(st.sampled_from([Shape(), Shape(accelerators_per_replica=4)])),
        created_at=START,
        observed_at=START,
    )
