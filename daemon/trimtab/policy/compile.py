"""From a checked document to the value that the engine uses. Nothing can fail here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import (
    DEFAULT_UP,
    NO_DAMPING,
    Damping,
    Fallback,
    HoldRule,
    Limit,
    MoveRules,
    Policy,
    Rule,
    ScaleToZero,
    Selector,
)
from trimtab.core.signals import SignalSpec
from trimtab.policy.cel import Wanted, program
from trimtab.policy.default_moves import default_down
from trimtab.policy.registry import build_strategy

if TYPE_CHECKING:
    from typing import Literal

    from trimtab.policy import damping
    from trimtab.policy.damping import DownMoves, UpLimit, UpMoves
    from trimtab.policy.document import Deployments, ScalingPolicy, Signal
    from trimtab.policy.rules import HoldDocument, RuleDocument


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
        rules=tuple(_rule(rule) for _, rule in spec.strategy_rules()),
        holds=tuple(_hold(rule) for _, rule in spec.holds()),
        up=_moves(spec.behavior.scale_up, DEFAULT_UP),
        down=_moves(spec.behavior.scale_down, default_down(spec)),
        fallback=_fallback(spec.fallback),
        scale_to_zero=_scale_to_zero(spec.behavior.scale_to_zero),
        while_updating=spec.while_updating,
        minimum_useful_seconds=spec.expiry.minimum_useful_time,
        at_expiry=spec.expiry.at_expiry,
        lead_time_seconds=spec.lead_time,
        out_of_band_grace_seconds=spec.out_of_band.grace,
        stuck_after_seconds=spec.stuck.after,
        fallback_to=spec.stuck.fallback_to,
        hand_back=spec.hand_back,
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


def _rule(rule: RuleDocument) -> Rule:
    return Rule(
        name=rule.name,
        role=rule.role,
        strategy=build_strategy(rule.strategy),
        up=_damping(rule, "up"),
        down=_damping(rule, "down"),
    )


def _hold(rule: HoldDocument) -> HoldRule:
    return HoldRule(
        name=rule.name,
        condition=program(rule.when, Wanted.TRUTH, rule.timezone),
        blocks=rule.blocks,
    )


def _damping(rule: RuleDocument, way: Literal["up", "down"]) -> Damping:
    pauses = (rule.stabilization, rule.cooldown)
    stabilization, cooldown = (0.0 if one is None else one.each(way) for one in pauses)
    if not stabilization and not cooldown:
        return NO_DAMPING  # by identity: the engine skips rules without damping
    return Damping(stabilization_seconds=stabilization, cooldown_seconds=cooldown)


def _fallback(fallback: damping.Fallback | None) -> Fallback | None:
    if fallback is None:
        return None
    return Fallback(after_seconds=fallback.after, replicas=fallback.replicas)


def _scale_to_zero(to_zero: damping.ScaleToZero | None) -> ScaleToZero | None:
    if to_zero is None:
        return None
    return ScaleToZero(after_seconds=to_zero.after, wake_on=to_zero.wake_on)


def _moves(moves: UpMoves | DownMoves, default: MoveRules) -> MoveRules:
    stabilization, limits = moves.stabilization, moves.limits
    return MoveRules(
        stabilization_seconds=(
            default.stabilization_seconds if stabilization is None else stabilization
        ),
        limits=default.limits if limits is None else tuple(_limit(limit) for limit in limits),
        select=moves.select,
        cooldown_seconds=moves.cooldown,
    )


def _limit(limit: UpLimit) -> Limit:
    return Limit(period_seconds=limit.period, percent=limit.percent, replicas=limit.replicas)
