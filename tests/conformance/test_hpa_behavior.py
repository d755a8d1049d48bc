"""The HPA's behaviour (windows, rates, bounds) and its whole cycle against the stages and the engine.

A cycle runs as one ``Engine.step`` with ``actuation: floor``: like the HPA's minimum of 0, a floor of 0
is written without further ado. A count of 0 that the HPA does not know for its own is a deployment
parked at 0/0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.conformance import hpa
from tests.conformance.cases import Vector, differences, judge
from tests.worlds.engine_world import NAME, START

from trimtab.core.adoption import USER_BOUNDS, WRITTEN_BOUNDS, adopt
from trimtab.core.decision import Decision, Outcome, Reason, ScaleDown, ScaleUp, Step, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.engine import Engine
from trimtab.core.lead_time import LeadTimes
from trimtab.core.memory import At, DeploymentMemory, Memory
from trimtab.core.policy import (
    Actuation,
    Limit,
    MoveRules,
    Policy,
    Rule,
    Select,
    Selector,
)
from trimtab.core.roles import Role
from trimtab.core.signals import Per, Sample, SignalSpec
from trimtab.core.stages.behavior import behavior
from trimtab.core.stages.bounds import bounds
from trimtab.core.stages.draft import Case, Draft
from trimtab.core.strategies.target import Basis, Target, Tolerance
from trimtab.core.windows import push_high, push_low

VECTORS = "hpa_behavior.json"

STORAGE = ("events_after", "recommendations_after", "log_length")
"""How the peer stores its history, slot by slot: trimtab stores it otherwise."""

FAR = 10**6
"""A wish beyond every limit, to see the limit itself."""


def test_behavior(vector: Vector) -> None:
    answers = ANSWERS[vector.kind](vector.input)
    found = differences(vector, answers, left_out=(*STORAGE, "conditions"))
    judge(vector, found + other_conditions(vector, answers.get("conditions", {})))


def other_conditions(vector: Vector, ours: Mapping[str, bool]) -> list[str]:
    """Conditions whose status is not the peer's, of those that trimtab has a word for."""
    return [
        f"{kind}: the peer says {status}, trimtab says {ours[kind]}"
        for kind, status, _ in vector.expected.get("conditions") or ()
        if kind in ours and ours[kind] is not (status == "True")
    ]


# -- rules ------------------------------------------------------------------------------------------

DEFAULT_LIMITS = {
    "up": (Limit(replicas=4, period_seconds=15.0), Limit(percent=100, period_seconds=15.0)),
    "down": (Limit(percent=100, period_seconds=15.0),),
}


def move_rules(rules: Mapping[str, Any] | None, way: str, window_seconds: float) -> MoveRules:
    rules = rules or {}
    window, policies = rules.get("stabilization_window_s"), rules.get("policies")
    return MoveRules(
        stabilization_seconds=window_seconds if window is None else window,
        limits=DEFAULT_LIMITS[way] if policies is None else tuple(map(limit, policies)),
        select=Select((rules.get("select_policy") or "Max").lower()),
    )


def limit(policy: Mapping[str, Any]) -> Limit:
    key = "replicas" if policy["type"] == "Pods" else "percent"
    return Limit(period_seconds=policy["period_s"], **{key: policy["value"]})


def legacy_up(given: Mapping[str, Any], current: int) -> MoveRules:
    """The rules from before there was behaviour: by a factor, or to a small count at once."""
    percent = round((given["scale_up_limit_factor"] - 1) * 100)
    to_minimum = max(0, int(given["scale_up_limit_minimum"]) - current)
    return MoveRules(
        stabilization_seconds=0.0,
        limits=(
            Limit(percent=percent, period_seconds=15.0),
            Limit(replicas=to_minimum, period_seconds=15.0),
        ),
    )


UNLIMITED = MoveRules(stabilization_seconds=0.0)


# -- single stages ----------------------------------------------------------------------------------


def a_deployment(spec: int, ready: int, given: Mapping[str, Any]) -> Deployment:
    """A deployment at ``spec`` whose bounds trimtab wrote, with the user's range noted beside."""
    low, high = given.get("min_replicas", 0), given.get("max_replicas", FAR)
    wire = (spec, max(spec, high))
    return Deployment(
        name=NAME,
        min_replicas=wire[0],
        max_replicas=wire[1],
        desired_replicas=spec,
        replica_count=spec,
        pipeline=Pipeline(ready=ready),
        annotations={
            USER_BOUNDS: f"{low}-{high}",
            WRITTEN_BOUNDS: f"{wire[0]}-{wire[1]}",
        },
        created_at=START - 86_400.0,
    )


def a_policy(given: Mapping[str, Any], up: MoveRules, down: MoveRules, **more: Any) -> Policy:
    fields: dict[str, Any] = {"rules": (), **more}
    return Policy(
        name="hpa",
        selector=Selector(name=NAME),
        actuation=Actuation.FLOOR,
        min_replicas=given.get("min_replicas"),
        max_replicas=given.get("max_replicas"),
        up=up,
        down=down,
        **fields,
    )


def remembered(
    deployment: Deployment,
    *,
    moves: Iterable[At] = (),
    wishes: Iterable[At] = (),
    up: MoveRules = UNLIMITED,
    down: MoveRules = UNLIMITED,
) -> DeploymentMemory:
    lows: tuple[At, ...] = ()
    highs: tuple[At, ...] = ()
    for at in sorted(wishes):
        lows = push_low(lows, up.stabilization_seconds, at.time, at.replicas)
        highs = push_high(highs, down.stabilization_seconds, at.time, at.replicas)
    memory = adopt(deployment, START)
    return memory._replace(moves=tuple(sorted(moves)), lows=lows, highs=highs)


def moves(given: Mapping[str, Any]) -> list[At]:
    ups = [At(START - one["age_s"], one["change"]) for one in given["scale_up_events"]]
    return ups + [At(START - one["age_s"], -one["change"]) for one in given["scale_down_events"]]


def wishes(recommendations: Iterable[Mapping[str, Any]]) -> list[At]:
    return [At(START - one["age_s"], one["replicas"]) for one in recommendations]


def run(
    given: Mapping[str, Any],
    current: int,
    wanted: int,
    *,
    up: MoveRules = UNLIMITED,
    down: MoveRules = UNLIMITED,
    memory: Mapping[str, Any] | None = None,
    is_bounded: bool = False,
) -> Draft:
    """Send a wish through the stage ``behavior``, and through ``bounds`` if the vector has any."""
    deployment = a_deployment(current, current, given)
    case = Case(
        now=START,
        deployment=deployment,
        policy=a_policy(given, up, down),
        current=current,
        lead_time=LeadTimes().of(deployment),
        fleet={NAME: deployment},
    )
    draft = Draft(
        memory=remembered(deployment, up=up, down=down, **(memory or {})),
        replicas=wanted,
        reason=Reason.DEMAND,
        wanted=wanted,
    )
    behavior(case, draft)
    if is_bounded:
        bounds(case, draft)
    return draft


def with_condition(draft: Draft) -> dict[str, Any]:
    word = condition(draft.trail)
    if draft.bounds is not None:
        # Where a rate and a bound end at the same count, the peer names the bound.
        if word == "ScaleUpLimit" and draft.replicas == draft.bounds.upper.replicas:
            word = "TooManyReplicas"
        if word == "ScaleDownLimit" and draft.replicas == draft.bounds.lower.replicas:
            word = "TooFewReplicas"
    return {"replicas": draft.replicas, "condition": word}


def condition(trail: Iterable[Step]) -> str:
    """The peer's word for what limited the count, told from the steps."""
    word = "DesiredWithinRange"
    for step in trail:
        if step.before == step.after:
            continue
        is_cut = (step.after or 0) < (step.before or 0)
        if step.stage == "bounds":
            word = "TooManyReplicas" if is_cut else "TooFewReplicas"
        elif step.stage == "behavior" and step.sentence.startswith("limited to"):
            word = "ScaleUpLimit" if is_cut else "ScaleDownLimit"
    return word


def convert_without_behavior(given: Mapping[str, Any]) -> dict[str, Any]:
    current, wanted = given["current_replicas"], given["desired_replicas"]
    draft = run(given, current, wanted, up=legacy_up(given, current), is_bounded=True)
    return with_condition(draft)


def behavior_rate(given: Mapping[str, Any]) -> dict[str, Any]:
    # Upstream calls the part after stabilisation alone.
    up = replace(move_rules(given["scale_up_rules"], "up", 0.0), stabilization_seconds=0.0)
    down = replace(move_rules(given["scale_down_rules"], "down", 0.0), stabilization_seconds=0.0)
    current, wanted = given["current_replicas"], given["desired_replicas"]
    draft = run(
        given, current, wanted, up=up, down=down, memory={"moves": moves(given)}, is_bounded=True
    )
    return with_condition(draft)


def scale_up_limit(given: Mapping[str, Any]) -> dict[str, Any]:
    up = replace(move_rules(given["rules"], "up", 0.0), stabilization_seconds=0.0)
    draft = run(given, given["current_replicas"], FAR, up=up, memory={"moves": moves(given)})
    return {"limit": draft.replicas}


def scale_down_limit(given: Mapping[str, Any]) -> dict[str, Any]:
    down = replace(move_rules(given["rules"], "down", 0.0), stabilization_seconds=0.0)
    draft = run(given, given["current_replicas"], 0, down=down, memory={"moves": moves(given)})
    return {"limit": draft.replicas}


def stabilize_downscale_window(given: Mapping[str, Any]) -> dict[str, Any]:
    down = MoveRules(stabilization_seconds=given["downscale_stabilization_window_s"])
    memory = {"wishes": wishes(given["recommendations"])}
    return {
        "replicas": run(given, FAR, given["desired_replicas"], down=down, memory=memory).replicas
    }


def stabilize_with_behavior(given: Mapping[str, Any]) -> dict[str, Any]:
    draft = run(
        given,
        given["current_replicas"],
        given["desired_replicas"],
        up=MoveRules(stabilization_seconds=given["scale_up_stabilization_window_s"]),
        down=MoveRules(stabilization_seconds=given["scale_down_stabilization_window_s"]),
        memory={"wishes": wishes(given["recommendations"])},
    )
    return {"replicas": draft.replicas}


def store_scale_event(given: Mapping[str, Any]) -> dict[str, Any]:
    """What moved within the period, told from how much of a limit of 1000 replicas is left."""
    up = MoveRules(
        stabilization_seconds=0.0, limits=(Limit(replicas=1000, period_seconds=given["period_s"]),)
    )
    before = [At(START - one["age_s"], one["change"]) for one in given["events_before"]]
    draft = run(given, 5000, FAR, up=up, memory={"moves": before})
    return {"replicas_change_in_period": 5000 + 1000 - draft.replicas}


# -- a whole cycle ----------------------------------------------------------------------------------


def reconcile(given: Mapping[str, Any]) -> dict[str, Any]:
    deployment, policy, samples = cycle(given)
    recommendations = given["recommendations"]
    memory = None
    if recommendations is not None:
        one = remembered(deployment, wishes=wishes(recommendations), up=policy.up, down=policy.down)
        memory = Memory({NAME: one})
    engine = Engine([policy], memory)
    tick = engine.step(START, {NAME: deployment}, [one for one in samples if one is not None])
    (decision,) = tick.decisions
    for order in tick.orders:
        engine.record(Outcome(order=order, at=START, status=WriteStatus.APPLIED, sentence=""))
    utilization = next((one.value for one in samples if one is not None), None)
    return {
        "desired_replicas": decision.desired,
        "scale_updated": bool(tick.orders),
        "action": action(decision),
        "error": None in samples,
        "cpu_utilization": utilization,
        "conditions": conditions(decision),
    }


def cycle(given: Mapping[str, Any]) -> tuple[Deployment, Policy, list[Sample | None]]:
    spec = given["spec_replicas"]
    rules: list[Rule] = []
    signals: list[SignalSpec] = []
    samples: list[Sample | None] = []
    ready: int | None = None
    for index, metric in enumerate(given["metrics"]):
        name = f"metric-{index}"
        strategy, value, covered, pods_ready = measured(given, metric, name)
        ready = pods_ready if ready is None else ready
        rules.append(Rule(name=name, role=Role.DEMAND, strategy=strategy))
        signals.append(
            SignalSpec(
                name=name,
                source="metrics",
                query=name,
                max_age_seconds=60.0,
                per=Per.REPLICA if strategy.basis is Basis.AVERAGE else Per.DEPLOYMENT,
            )
        )
        samples.append(None if value is None else Sample(NAME, name, START, value, covered))
    up, down = directions(given)
    policy = a_policy(given, up, down, rules=tuple(rules), signals=tuple(signals))
    deployment = a_deployment(spec, hpa.ready_pods(given) if ready is None else ready, given)
    if spec == 0 and not is_zero_known(given):
        deployment = replace(deployment, min_replicas=0, max_replicas=0, annotations={})
    return deployment, policy, samples


def is_zero_known(given: Mapping[str, Any]) -> bool:
    """Whether the HPA knows that it was itself who scaled to zero."""
    is_noted = any(
        kind == "ScaledToZero" and status == "True"
        for kind, status, _ in given["initial_conditions"]
    )
    return is_noted and given["feature_scale_to_zero"] is True


def directions(given: Mapping[str, Any]) -> tuple[MoveRules, MoveRules]:
    window = given["downscale_stabilization_window_s"]
    up, down = given["scale_up_rules"], given["scale_down_rules"]
    if up is None and down is None:
        return legacy_up(given, given["spec_replicas"]), MoveRules(stabilization_seconds=window)
    return move_rules(up, "up", 0.0), move_rules(down, "down", window)


def tolerance(given: Mapping[str, Any]) -> Tolerance:
    default, is_set = given["default_tolerance"], given["feature_configurable_tolerance"] is True
    up = (given["scale_up_rules"] or {}).get("tolerance") if is_set else None
    down = (given["scale_down_rules"] or {}).get("tolerance") if is_set else None
    return Tolerance(default if up is None else up, default if down is None else down)


def measured(
    given: Mapping[str, Any], metric: Mapping[str, Any], name: str
) -> tuple[Target, float | None, int | None, int | None]:
    """The strategy for a metric, its value, how many replicas that covers, and how many are ready.

    The value is ``None`` where the peer fails to get one, or to make sense of the metric.
    """
    kind, goal = metric["type"], metric.get("target") or {}
    steer = {"signal": name, "tolerance": tolerance(given)}
    if kind in ("Resource", "ContainerResource"):
        average = hpa.resource_average(given, metric.get("container"))
        if "average_utilization" in goal:
            strategy = Target(
                target=goal["average_utilization"], basis=Basis.AVERAGE, full_at=100, **steer
            )
            value = None if average is None else average.value
        else:
            target = goal.get("average_value")
            strategy = Target(target=target or 1.0, basis=Basis.AVERAGE, **steer)
            value = None if average is None or target is None else average.mean
    elif kind == "Pods":
        average = hpa.pods_average(given)
        strategy = Target(target=goal["average_value"], basis=Basis.AVERAGE, **steer)
        value = None if average is None else average.mean
    elif kind in ("Object", "External"):
        key, basis = ("value", Basis.VALUE) if "value" in goal else ("average_value", Basis.TOTAL)
        total = given["object_value"] if kind == "Object" else sum(given["external_values"])
        strategy = Target(target=goal[key], basis=basis, **steer)
        is_failing = kind in given["failing_metric_types"]
        return strategy, None if is_failing else total, None, None
    else:
        return Target(target=1.0, basis=Basis.AVERAGE, **steer), None, None, None
    if kind in given["failing_metric_types"] or average is None:
        return strategy, None, None, None
    return strategy, value, average.covered, average.ready


def action(decision: Decision) -> str:
    if isinstance(decision.verdict, ScaleUp):
        return "scale_up"
    return "scale_down" if isinstance(decision.verdict, ScaleDown) else "none"


def conditions(decision: Decision) -> dict[str, bool]:
    is_active = any(one.replicas is not None for one in decision.proposals)
    limiting = condition(decision.trail)
    return {
        "ScalingActive": is_active and decision.verdict.reason is not Reason.PARKED,
        "ScalingLimited": limiting != "DesiredWithinRange",
    }


ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "convert_without_behavior": convert_without_behavior,
    "behavior_rate": behavior_rate,
    "scale_up_limit": scale_up_limit,
    "scale_down_limit": scale_down_limit,
    "stabilize_downscale_window": stabilize_downscale_window,
    "stabilize_with_behavior": stabilize_with_behavior,
    "store_scale_event": store_scale_event,
    "reconcile": reconcile,
}
