"""Settings that can have no effect because of others: each is a warning, for one of them is a mistake.

Only what is certain is said. Whether a setting *should* matter is for people to judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import (
    Actuation,
    Mode,
    Select,
    WhileUpdating,
)
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import OnMissing, Per
from trimtab.policy import codes
from trimtab.policy.default_moves import default_down
from trimtab.policy.durations import format_duration
from trimtab.policy.paths import show_path
from trimtab.policy.strategies.expression import ExpressionConfig
from trimtab.policy.strategies.fixed import FixedConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.policy.damping import DownMoves, ScaleToZero, UpLimit, UpMoves
    from trimtab.policy.place import Place
    from trimtab.policy.rules import RuleDocument
    from trimtab.policy.yaml_nodes import Path

BEHAVIOR: Path = ("spec", "behavior")
TO_ZERO: Path = (*BEHAVIOR, "scaleToZero")
FALLBACK: Path = ("spec", "fallback")


def check_effects(place: Place) -> None:
    """Note every setting of one policy that another setting keeps from ever mattering."""
    behavior = place.spec.behavior
    _check_match(place)
    _check_fixed(place)
    _check_directions(place, "scaleUp", behavior.scale_up)
    _check_directions(place, "scaleDown", behavior.scale_down)
    _check_damping_of_rules(place)
    _check_holds(place)
    _check_missing(place)
    _check_fallback(place)
    _check_zero(place)
    _check_stuck(place)
    if place.spec.while_updating is WhileUpdating.UP and _is_disabled(place, "up"):
        why = "`spec.behavior.scaleUp.select` is disabled"
        _note(place, ("spec", "whileUpdating"), why, "remove it")
    if place.spec.hand_back and place.spec.actuation is Actuation.SCALE:
        why = "`spec.actuation` is scale, which leaves the range as it is"
        _note(place, ("spec", "handBack"), why, "remove it")
    if place.spec.hand_back and place.spec.mode is Mode.ADVISE:
        _note(place, ("spec", "handBack"), "`spec.mode` is advise, which writes nothing")


def _note(place: Place, path: Path, why: str, hint: str = "") -> None:
    message = f"`{show_path(path)}` has no effect: {why}"
    place.note_key(codes.NO_EFFECT, path, message, hint)


def _is_disabled(place: Place, way: str) -> bool:
    behavior = place.spec.behavior
    moves = behavior.scale_up if way == "up" else behavior.scale_down
    return moves.select is Select.DISABLED


def _check_match(place: Place) -> None:
    match = place.spec.deployments.match
    if match is None:
        return
    path: Path = ("spec", "deployments", "match")
    if len(match.model_fields_set) > 1:
        for key, pattern in (("baseModel", match.base_model), ("displayName", match.display_name)):
            if pattern is not None and not pattern.strip("*"):
                _note(place, (*path, key), f"`{pattern}` matches everything", "remove it")
    _check_repeated(place, (*path, "region"), match.region or ())


def _check_repeated(place: Place, path: Path, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            at = (*path, index)
            place.note(codes.NO_EFFECT, at, f"`{name}` stands in the list already", "remove it")


def _check_fixed(place: Place) -> None:
    """A fixed count that the bounds make pointless."""
    low, high = place.spec.bounds.min, place.spec.bounds.max
    for index, rule in place.spec.strategy_rules():
        if not isinstance(rule.strategy, FixedConfig):
            continue
        count, why = rule.strategy.replicas, ""
        if low is not None and count < low:
            why = f"below `spec.bounds.min`, which is {low}"
        elif high is not None and count > high:
            why = f"above `spec.bounds.max`, which is {high}"
        elif rule.role is Role.FLOOR and count == (low or 0):
            why = f"a floor that `spec.bounds.min` ({low or 0}) gives already"
        elif rule.role is Role.CEILING and count == high:
            why = f"a ceiling that `spec.bounds.max` ({high}) gives already"
        if why:
            path: Path = ("spec", "rules", index, "strategy", "replicas")
            message = f"`{rule.name}` has no effect of its own: {count} is {why}"
            place.note(codes.NO_EFFECT, path, message)


def _check_directions(place: Place, direction: str, moves: UpMoves | DownMoves) -> None:
    path = (*BEHAVIOR, direction)
    if moves.select is Select.DISABLED:
        for key in ("cooldown", "limits", "stabilization"):
            if key in moves.model_fields_set:
                _note(place, (*path, key), "`select` is disabled", f"remove `{key}`")
        return
    if "cooldown" in moves.model_fields_set and not moves.cooldown:
        _note(place, (*path, "cooldown"), "`0s` is no cooldown", "remove it, or say how long")
    if moves.select is Select.MIN and moves.limits is not None and len(moves.limits) < 2:
        _note(place, (*path, "select"), "there are no two limits to choose from", "remove it")
    for index, other in _idle_limits(moves):
        at = (*path, "limits", index)
        word = "more" if moves.select is Select.MAX else "less"
        message = (
            f"the limit has no effect: the one on line {_line(place, (*path, 'limits', other))}"
        )
        as_much = moves.limits is not None and moves.limits[index] == moves.limits[other]
        message += " is the same" if as_much else f" always allows {word}"
        hint = f"remove it, or see whether `select: {moves.select}` is meant"
        place.note(codes.NO_EFFECT, at, message, hint)


def _line(place: Place, path: Path) -> int:
    return place.root.value_span(path).line


def _idle_limits(moves: UpMoves | DownMoves) -> Iterator[tuple[int, int]]:
    """Limits that another of the same sort always overrules: their positions, and the other's."""
    limits = moves.limits or ()
    for index, one in enumerate(limits):
        for other_index, other in enumerate(limits):
            if index == other_index or not _is_same_sort(one, other):
                continue
            mine, others = one.percent or one.replicas or 0, other.percent or other.replicas or 0
            is_idle = mine < others if moves.select is Select.MAX else mine > others
            if is_idle or (mine == others and index > other_index):
                yield index, other_index
                break


def _is_same_sort(one: UpLimit, other: UpLimit) -> bool:
    return one.period == other.period and (one.percent is None) == (other.percent is None)


def _check_damping_of_rules(place: Place) -> None:
    for index, rule in place.spec.strategy_rules():
        for key, each in (("stabilization", rule.stabilization), ("cooldown", rule.cooldown)):
            path: Path = ("spec", "rules", index, key)
            if each is None:
                continue
            if not each.up and not each.down:
                _note(place, path, "`0s` is what it is without", "remove it, or say how long")
            elif isinstance(rule.strategy, FixedConfig):
                _note(place, path, "the wish of `fixed` never changes", "remove it")
            else:
                for way in ("up", "down"):
                    if way in each.model_fields_set and _is_disabled(place, way):
                        why = f"`spec.behavior.scale{way.title()}.select` is disabled"
                        _note(place, (*path, way), why, "remove it")


def _check_holds(place: Place) -> None:
    for index, hold in place.spec.holds():
        ways = ("up", "down") if hold.blocks is Blocks.BOTH else (str(hold.blocks),)
        idle = [way for way in ways if _is_disabled(place, way)]
        if idle:
            path: Path = ("spec", "rules", index, "blocks")
            keys = " and ".join(f"`spec.behavior.scale{way.title()}.select`" for way in idle)
            are = "is" if len(idle) == 1 else "are"
            message = f"`{hold.name}` blocks what {keys} {are} blocking always"
            place.note(codes.NO_EFFECT, path, message)


def _demands(place: Place) -> list[RuleDocument]:
    return [rule for _, rule in place.spec.strategy_rules() if rule.role is Role.DEMAND]


def _names(rule: RuleDocument) -> set[str]:
    return {name for _, name in rule.strategy.reads()}


def _check_missing(place: Place) -> None:
    """A contract for missing data that no decision can depend on."""
    read = {name for _, rule in place.spec.strategy_rules() for name in _names(rule)}
    has_holds = any(True for _ in place.spec.holds())
    demands = _demands(place)
    for name, signal in place.spec.signals.items():
        path: Path = ("spec", "signals", name, "missing")
        if "missing" not in signal.model_fields_set:
            continue
        if name not in read and not has_holds:
            if _wakes(place, name):
                why = f"only `{show_path((*TO_ZERO, 'wakeOn'))}` uses `{name}`, and a gap wakes nothing"
                _note(place, path, why, "remove it")
        elif (
            signal.missing.down is OnMissing.IGNORE
            and demands
            and all(_names(rule) == {name} for rule in demands)
            and not any(isinstance(rule.strategy, ExpressionConfig) for rule in demands)
        ):
            why = "all demand rests on this signal, and unknown demand always blocks the way down"
            _note(place, (*path, "down"), why, "remove it")


def _wakes(place: Place, name: str) -> bool:
    to_zero = place.spec.behavior.scale_to_zero
    return to_zero is not None and name in to_zero.wake_on


def _check_fallback(place: Place) -> None:
    fallback, bounds = place.spec.fallback, place.spec.bounds
    if fallback is None:
        return
    demands = _demands(place)
    is_known = any(not _names(rule) and isinstance(rule.strategy, FixedConfig) for rule in demands)
    if not demands:
        _note(place, FALLBACK, "there is no demand rule that could be unknown", "remove it")
    elif is_known:
        _note(place, FALLBACK, "the demand of `fixed` is never unknown", "remove it")
    elif fallback.replicas is not None:
        path = (*FALLBACK, "replicas")
        if bounds.min is not None and fallback.replicas <= bounds.min:
            why = f"it only raises, and `spec.bounds.min` is {bounds.min}"
            _note(place, path, why, "raise it above `min`, or write `current`")
        elif bounds.max is not None and fallback.replicas > bounds.max:
            message = (
                f"`{show_path(path)}` goes no further than `spec.bounds.max`, which is {bounds.max}"
            )
            place.note(codes.NO_EFFECT, path, message, "lower it to `max`")


def _check_stuck(place: Place) -> None:
    """Whoever is to step in: only for a deployment that is really steered, and never for itself."""
    path: Path = ("spec", "stuck", "fallbackTo")
    names = place.spec.stuck.fallback_to
    _check_repeated(place, path, names)
    if names and place.spec.mode is Mode.ADVISE:
        _note(place, path, "a policy that only advises asks nobody to step in", "remove it")
        return
    for index, name in enumerate(names):
        if name == place.spec.deployments.name:
            why = "a stuck deployment cannot step in for itself"
            _note(place, (*path, index), why, "name another one")


def _check_zero(place: Place) -> None:
    spec, to_zero = place.spec, place.spec.behavior.scale_to_zero
    is_floor_written = spec.actuation is Actuation.FLOOR
    if to_zero is not None:
        why = _what_keeps_one(place)
        if why:
            _note(place, TO_ZERO, why, "remove one of the two")
            return
        _check_repeated(place, (*TO_ZERO, "wakeOn"), to_zero.wake_on)
        if is_floor_written:
            why = "with `actuation: floor` the platform itself keeps or drops the last replica"
            _note(place, (*TO_ZERO, "after"), why)
        else:
            _check_after(place, to_zero)
    elif spec.bounds.min == 0 and not is_floor_written:
        message = "`min: 0` takes no effect by itself: the last replica stays"
        hint = "add `spec.behavior.scaleToZero`, or write `min: 1`"
        place.note(codes.NO_EFFECT, ("spec", "bounds", "min"), message, hint)
        return
    if to_zero is not None or spec.bounds.min == 0:
        _check_wake(place)


def _what_keeps_one(place: Place) -> str:
    """What never lets the count reach zero; empty if nothing does."""
    low = place.spec.bounds.min
    if low:
        return f"`spec.bounds.min` is {low}"
    if _is_disabled(place, "down"):
        return "`spec.behavior.scaleDown.select` is disabled"
    if not _demands(place):
        return "no rule demands anything, so demand never falls to zero"
    for _, rule in place.spec.strategy_rules():
        is_raising = rule.role in (Role.DEMAND, Role.FLOOR)
        if is_raising and isinstance(rule.strategy, FixedConfig) and rule.strategy.replicas:
            return f"`{rule.name}` always asks for {rule.strategy.replicas}"
    return ""


def _check_after(place: Place, to_zero: ScaleToZero) -> None:
    stated = place.spec.behavior.scale_down.stabilization
    window = default_down(place.spec).stabilization_seconds if stated is None else stated
    if to_zero.after < window:
        path = (*TO_ZERO, "after")
        why = f"the window of `scaleDown.stabilization` is longer, {format_duration(window)}"
        _note(place, path, why, "make it longer, or shorten the window")


def _check_wake(place: Place) -> None:
    """A policy that lets the count fall to zero must have something to hear at zero."""
    spec, to_zero = place.spec, place.spec.behavior.scale_to_zero
    names = list(to_zero.wake_on) if to_zero is not None else []
    for _, rule in spec.strategy_rules():
        read = _names(rule)
        if rule.role is Role.FLOOR or (rule.role is Role.DEMAND and not read):
            return
        names += read if rule.role is Role.DEMAND else ()
    known = [spec.signals[name].per for name in names if name in spec.signals]
    if Per.DEPLOYMENT in known or len(known) < len(names):
        return  # what is not declared has a diagnostic of its own
    message = "the count can fall to zero, where no signal that could wake it is heard"
    hint = "use `min: 1`, or a signal with `per: deployment` in `wakeOn` or a demand rule"
    if to_zero is not None:
        place.note(codes.NOTHING_WAKES, (*TO_ZERO, "wakeOn"), message, hint)
    else:
        place.note(codes.NOTHING_WAKES, ("spec", "bounds", "min"), message, hint)
