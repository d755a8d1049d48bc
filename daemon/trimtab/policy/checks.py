"""What the parts of a policy mean together, and what policies mean beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.policy import Role, Select, WhileUpdating
from trimtab.core.signals import Per
from trimtab.policy import codes
from trimtab.policy.model_errors import show_path
from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.suggestions import did_you_mean, nearest, one_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from trimtab.policy.damping import DownMoves, UpMoves
    from trimtab.policy.diagnostics import Findings
    from trimtab.policy.document import ScalingPolicy, Spec
    from trimtab.policy.yaml_nodes import Node, Path


@dataclass(frozen=True, slots=True)
class Place:
    """A document with the tree it was read from and the findings of its file."""

    document: ScalingPolicy
    root: Node
    findings: Findings

    @property
    def spec(self) -> Spec:
        """Short for what most checks look at."""
        return self.document.spec

    def note(self, code: codes.Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the value at ``path``."""
        self.findings.add(code, self.root.value_span(path), message, hint)

    def note_key(self, code: codes.Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the key at ``path``."""
        self.findings.add(code, self.root.key_span(path), message, hint)


def check_policy(place: Place, sources: Collection[str] | None) -> None:
    """Note everything that is wrong within one policy. ``sources`` is ``None`` when not known."""
    _check_rule_names(place)
    _check_signals(place, sources)
    _check_bounds(place)
    _check_fixed(place)
    _check_wake(place)
    moves = place.spec.behavior
    _check_moves(place, "scaleUp", moves.scale_up)
    _check_moves(place, "scaleDown", moves.scale_down)
    if moves.scale_up.select is Select.DISABLED and place.spec.while_updating is WhileUpdating.UP:
        message = "`whileUpdating: up` has no effect: `spec.behavior.scaleUp.select` is disabled"
        place.note_key(codes.NO_EFFECT, ("spec", "whileUpdating"), message)


def _check_rule_names(place: Place) -> None:
    seen: dict[str, int] = {}
    for index, rule in enumerate(place.spec.rules):
        path: Path = ("spec", "rules", index, "name")
        if rule.name in seen:
            line = place.root.value_span(("spec", "rules", seen[rule.name], "name")).line
            message = f"another rule on line {line} is called `{rule.name}` too"
            place.note(codes.DUPLICATE_RULE, path, message, "give each rule its own name")
        seen.setdefault(rule.name, index)


def _check_signals(place: Place, sources: Collection[str] | None) -> None:
    declared, used, meant = place.spec.signals, set[str](), set[str | None]()
    for index, rule in enumerate(place.spec.rules):
        for path, name in rule.strategy.reads():
            used.add(name)
            if name not in declared:
                meant.add(nearest(name, declared))
                place.note(
                    codes.UNDECLARED_SIGNAL,
                    ("spec", "rules", index, "strategy", *path),
                    f"`{name}` is not declared in `spec.signals`",
                    did_you_mean(name, declared) or f"declare it: `spec.signals.{name}`",
                )
    for name, signal in declared.items():
        if name not in used | meant:
            message = f"no rule reads the signal `{name}`"
            hint = "remove it, or use it in a rule"
            place.note_key(codes.UNUSED_SIGNAL, ("spec", "signals", name), message, hint)
        if sources is not None and signal.source not in sources:
            place.note(
                codes.UNKNOWN_SOURCE,
                ("spec", "signals", name, "source"),
                f"the settings name no source `{signal.source}`",
                did_you_mean(signal.source, sources) or one_of(sorted(sources)),
            )


def _check_bounds(place: Place) -> None:
    low, high = place.spec.bounds.min, place.spec.bounds.max
    if low is not None and high is not None and low > high:
        message = f"`spec.bounds.min` is {low} and above `max`, which is {high}"
        place.note(
            codes.MIN_ABOVE_MAX, ("spec", "bounds", "min"), message, "lower `min` or raise `max`"
        )


def _check_fixed(place: Place) -> None:
    """A fixed count that the bounds make pointless."""
    low, high = place.spec.bounds.min, place.spec.bounds.max
    for index, rule in enumerate(place.spec.rules):
        if not isinstance(rule.strategy, FixedConfig):
            continue
        count = rule.strategy.replicas
        why = ""
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


def _check_wake(place: Place) -> None:
    """A policy that lets the count fall to zero must have something to hear at zero."""
    spec = place.spec
    if spec.bounds.min != 0:
        return
    for rule in spec.rules:
        names = [name for _, name in rule.strategy.reads()]
        if rule.role is Role.FLOOR or (rule.role is Role.DEMAND and not names):
            return
        heard = (spec.signals[name].per for name in names if name in spec.signals)
        if rule.role is Role.DEMAND and Per.DEPLOYMENT in heard:
            return
    message = "with `min: 0` the count can fall to zero, where no demand rule hears anything"
    hint = "use `min: 1`, or add a demand rule on a signal with `per: deployment`"
    place.note(codes.NOTHING_WAKES, ("spec", "bounds", "min"), message, hint)


def _check_moves(place: Place, direction: str, moves: UpMoves | DownMoves) -> None:
    path: Path = ("spec", "behavior", direction)
    if moves.select is Select.DISABLED:
        for key in ("limits", "stabilization"):
            if getattr(moves, key) is not None:
                message = f"`{show_path((*path, key))}` has no effect: `select` is disabled"
                place.note_key(codes.NO_EFFECT, (*path, key), message, f"remove `{key}`")
        return
    if moves.select is Select.MIN and moves.limits is not None and len(moves.limits) < 2:
        message = f"`{show_path((*path, 'select'))}` has no effect: there are no two limits to choose from"
        place.note_key(codes.NO_EFFECT, (*path, "select"), message, "remove it")


def check_together(places: Iterable[Place]) -> None:
    """Note policies that cannot stand beside each other; the later one gets the diagnostic."""
    names: dict[str, Place] = {}
    targets: dict[object, Place] = {}
    for place in places:
        name = place.document.metadata.name
        first = names.setdefault(name, place)
        if first is not place:
            message = f"the policy name `{name}` is taken by {_where(first)}"
            place.note(codes.DUPLICATE_POLICY, ("metadata", "name"), message, "choose another")
        deployments = place.spec.deployments
        other = targets.setdefault(deployments.name or deployments.match, place)
        if other is place:
            continue
        policy = f"`{other.document.metadata.name}` in {_where(other)}"
        if deployments.name is not None:
            message = f"`{deployments.name}` already obeys the policy {policy}"
            path: Path = ("spec", "deployments", "name")
            place.note(codes.SAME_DEPLOYMENT, path, message, "keep one of the two")
        else:
            message = f"the policy {policy} matches exactly the same deployments"
            path = ("spec", "deployments", "match")
            place.note_key(codes.SAME_DEPLOYMENT, path, message, "keep one of the two")


def _where(place: Place) -> str:
    line = place.root.key_span(("metadata", "name")).line
    return f"{place.findings.file.name}:{line}"
