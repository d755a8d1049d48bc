"""From a checked document to the value that the engine uses. Nothing can fail here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import DEFAULT_DOWN, DEFAULT_UP, Limit, MoveRules, Policy, Rule, Selector
from trimtab.core.signals import SignalSpec
from trimtab.policy.registry import build_strategy

if TYPE_CHECKING:
    from trimtab.policy.document import (
        Deployments,
        DownMoves,
        ScalingPolicy,
        Signal,
        UpLimit,
        UpMoves,
    )


def compile_policy(document: ScalingPolicy, origin: str) -> Policy:
    """The policy that ``document`` describes; ``origin`` is where people find it (file and line)."""
    spec = document.spec
    return Policy(
        name=document.metadata.name,
        owner=document.metadata.owner or "",
        selector=_selector(spec.deployments),
        mode=spec.mode,
        actuation=spec.actuation,
        min_replicas=spec.bounds.min,
        max_replicas=spec.bounds.max,
        accelerators_max=spec.accelerators.max if spec.accelerators else None,
        signals=tuple(_signal(name, signal) for name, signal in spec.signals.items()),
        rules=tuple(
            Rule(name=rule.name, role=rule.role, strategy=build_strategy(rule.strategy))
            for rule in spec.rules
        ),
        up=_moves(spec.behavior.scale_up, DEFAULT_UP),
        down=_moves(spec.behavior.scale_down, DEFAULT_DOWN),
        while_updating=spec.while_updating,
        minimum_useful_seconds=spec.expiry.minimum_useful_time,
        at_expiry=spec.expiry.at_expiry,
        priority=spec.priority,
        origin=origin,
    )


def _selector(deployments: Deployments) -> Selector:
    match = deployments.match
    if match is None:
        return Selector(name=deployments.name)
    return Selector(
        base_model=match.base_model, display_name=match.display_name, regions=match.region
    )


def _signal(name: str, signal: Signal) -> SignalSpec:
    return SignalSpec(
        name=name,
        source=signal.source,
        query=signal.query,
        max_age_seconds=signal.max_age,
        per=signal.per,
        missing_up=signal.missing.up,
        missing_down=signal.missing.down,
    )


def _moves(moves: UpMoves | DownMoves, default: MoveRules) -> MoveRules:
    stabilization, limits = moves.stabilization, moves.limits
    return MoveRules(
        stabilization_seconds=(
            default.stabilization_seconds if stabilization is None else stabilization
        ),
        limits=default.limits if limits is None else tuple(_limit(limit) for limit in limits),
        select=moves.select,
    )


def _limit(limit: UpLimit) -> Limit:
    return Limit(period_seconds=limit.period, percent=limit.percent, replicas=limit.replicas)
