"""What the parts of a policy mean together, and what policies mean beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trimtab.policy import codes
from trimtab.policy.effects import check_effects
from trimtab.policy.rule_checks import check_followers, check_rules, expressions_of, mention_span
from trimtab.policy.strategies.expression import ExpressionConfig
from trimtab.policy.suggestions import did_you_mean, nearest, one_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from trimtab.policy.diagnostics import Span
    from trimtab.policy.place import Place
    from trimtab.policy.yaml_nodes import Path


def check_policy(place: Place, sources: Collection[str] | None) -> None:
    """Note everything that is wrong within one policy. ``sources`` is ``None`` when not known.

    Of a mapping the values say of a query why the source cannot read it, or ``None``.
    """
    _check_rule_names(place)
    check_rules(place)
    _check_signals(place, sources)
    _check_bounds(place)
    check_effects(place)


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
    for name, span in _mentions(place):
        used.add(name)
        if name not in declared:
            meant.add(nearest(name, declared))
            message = f"`{name}` is not declared in `spec.signals`"
            hint = did_you_mean(name, declared) or f"declare it: `spec.signals.{name}`"
            place.findings.add(codes.UNDECLARED_SIGNAL, span, message, hint)
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
        elif isinstance(sources, Mapping) and (why := sources[signal.source](signal.query)):
            path: Path = ("spec", "signals", name, "query")
            message, _, hint = why.partition("; ")
            place.note(codes.UNREADABLE_QUERY, path, message, hint)


def _mentions(place: Place) -> Iterator[tuple[str, Span]]:
    """Every signal that a rule reads, with the place of its name."""
    for index, rule in place.spec.strategy_rules():
        if not isinstance(rule.strategy, ExpressionConfig):
            for path, name in rule.strategy.reads():
                yield name, place.root.value_span(("spec", "rules", index, "strategy", *path))
    for written in expressions_of(place):
        for mention in written.checked.mentions:
            yield mention.name, mention_span(place, written, mention)
    to_zero = place.spec.behavior.scale_to_zero
    for index, name in enumerate(to_zero.wake_on if to_zero is not None else ()):
        yield name, place.root.value_span(("spec", "behavior", "scaleToZero", "wakeOn", index))


def _check_bounds(place: Place) -> None:
    low, high = place.spec.bounds.min, place.spec.bounds.max
    if low is not None and high is not None and low > high:
        message = f"`spec.bounds.min` is {low} and above `max`, which is {high}"
        place.note(
            codes.MIN_ABOVE_MAX, ("spec", "bounds", "min"), message, "lower `min` or raise `max`"
        )


def check_together(places: Iterable[Place]) -> None:
    """Note policies that cannot stand beside each other; the later one gets the diagnostic."""
    places = tuple(places)
    check_followers(places)
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
