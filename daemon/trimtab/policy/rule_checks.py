"""What single rules mean: expressions, schedules whose time is over, deployments that follow others."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from trimtab.clock import SystemClock
from trimtab.core.calendar import utc_seconds
from trimtab.core.roles import Role
from trimtab.policy import codes
from trimtab.policy.cel import Wanted, check_expression
from trimtab.policy.cel_inputs import INPUTS, SIGNALS
from trimtab.policy.scalar_places import span_within
from trimtab.policy.strategies.expression import ExpressionConfig
from trimtab.policy.strategies.ratio import RatioConfig
from trimtab.policy.strategies.schedule import ScheduleConfig
from trimtab.policy.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trimtab.policy.cel import Checked, Mention
    from trimtab.policy.cel_faults import Fault
    from trimtab.policy.diagnostics import Span
    from trimtab.policy.place import Place
    from trimtab.policy.rules import RuleDocument
    from trimtab.policy.yaml_nodes import Path

# What people look for under another name; the language itself has few functions.
_FUNCTIONS = ("math.ceil", "math.floor", "math.round", "math.abs", "math.greatest", "math.least")
_ELSEWHERE = {"max": "math.greatest", "min": "math.least", "now": "time.unix"}


class Written(NamedTuple):
    """An expression of a policy: where it stands, its text, and what checking it came to."""

    path: Path
    text: str
    checked: Checked
    timezone: str


def expressions_of(place: Place) -> Iterator[Written]:
    """Every expression of a policy, those of holds and those of strategies."""
    for index, hold in place.spec.holds():
        checked = check_expression(hold.when, Wanted.TRUTH, hold.timezone)
        yield Written(("spec", "rules", index, "when"), hold.when, checked, hold.timezone)
    for index, rule in place.spec.strategy_rules():
        config = rule.strategy
        if isinstance(config, ExpressionConfig):
            checked = check_expression(config.expression, Wanted.NUMBER, config.timezone)
            path: Path = ("spec", "rules", index, "strategy", "expression")
            yield Written(path, config.expression, checked, config.timezone)


def mention_span(place: Place, written: Written, mention: Mention) -> Span:
    """Where a signal's name stands inside an expression."""
    return _span(place, written, mention.offset, len(mention.name))


def check_rules(place: Place) -> None:
    """Note what is wrong with single rules beyond what the model sees."""
    for written in expressions_of(place):
        for fault in written.checked.faults:
            hint = fault.hint or _meant(fault, place)
            span = _span(place, written, fault.offset, fault.length)
            place.findings.add(fault.code, span, fault.message, hint)
        _check_timezone(place, written)
    for index, rule in place.spec.strategy_rules():
        path: Path = ("spec", "rules", index, "strategy")
        if isinstance(rule.strategy, ScheduleConfig):
            _check_schedule(place, rule, rule.strategy, path)
        elif isinstance(rule.strategy, RatioConfig):
            _check_leader(place, rule.strategy.of, (*path, "of"))


def _check_leader(place: Place, leader: str, path: Path) -> None:
    if leader == place.spec.deployments.name:
        message = f"`{leader}` would follow itself"
        hint = "name another deployment, or use another strategy"
        place.note(codes.FOLLOWS_ITSELF, path, message, hint)


def check_followers(places: Iterable[Place]) -> None:
    """Note deployments that follow each other in a circle; every rule on it gets the diagnostic."""
    leaders: dict[str, list[str]] = {}
    followers: list[tuple[Place, str, str, Path]] = []
    for place in places:
        name = place.spec.deployments.name
        if name is None:
            continue  # whom a pattern matches shows only at run time
        for index, rule in place.spec.strategy_rules():
            if isinstance(rule.strategy, RatioConfig) and rule.strategy.of != name:
                path: Path = ("spec", "rules", index, "strategy", "of")
                leaders.setdefault(name, []).append(rule.strategy.of)
                followers.append((place, name, rule.strategy.of, path))
    for place, name, leader, path in followers:
        chain = _way(leader, name, leaders)
        if chain:
            circle = " follows ".join(f"`{one}`" for one in (name, *chain))
            hint = "remove one of these rules"
            place.note(codes.FOLLOWS_IN_CIRCLE, path, f"{circle}: none of them leads", hint)


def _way(start: str, end: str, leaders: dict[str, list[str]]) -> list[str]:
    """A way from ``start`` to ``end`` along ``leaders``, both included; empty if there is none."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == end:
            return way
        for leader in leaders.get(way[-1], ()):
            if leader not in seen:
                seen.add(leader)
                ways.append([*way, leader])
    return []


def _span(place: Place, written: Written, offset: int, length: int) -> Span:
    at = place.root.value_span(written.path)
    return span_within(place.findings.file, at, written.text, offset, length)


def _meant(fault: Fault, place: Place) -> str:
    """What an unknown name in an expression was probably meant to be."""
    name = fault.unknown
    if not name:
        return ""
    if name in place.spec.signals:
        return f"a signal is written `{SIGNALS}.{name}`"
    if name in _ELSEWHERE:
        return f"did you mean `{_ELSEWHERE[name]}`?"
    for function in _FUNCTIONS:
        if function.endswith(f".{name}"):
            return f"did you mean `{function}`?"
    known = [*INPUTS, *(f"{SIGNALS}.{one}" for one in place.spec.signals), *_FUNCTIONS]
    section = name.partition(".")[0] + "."
    near = did_you_mean(name, [one for one in known if one.startswith(section)] or known)
    return near or f"known are `{SIGNALS}.<name>`, {', '.join(f'`{one}`' for one in INPUTS)}"


def _check_timezone(place: Place, written: Written) -> None:
    program = written.checked.program
    path: Path = (*written.path[:-1], "timezone")
    is_given = place.root.find(path)[2] == len(path)
    if program is None or not is_given:
        return
    if not any(name.startswith("time.") and name != "time.unix" for name in program.inputs):
        message = "`timezone` has no effect: the expression asks for no local time"
        place.note_key(codes.NO_EFFECT, path, message, "remove it")


def _check_schedule(place: Place, rule: RuleDocument, config: ScheduleConfig, path: Path) -> None:
    now = SystemClock().now()
    for index, window in enumerate(config.windows):
        at: Path = (*path, "windows", index)
        if window.exactly and rule.role is Role.CEILING:
            message = "`exactly` has no effect in a ceiling, which never asks for more"
            hint = "use `role: floor` for an exact count"
            place.note_key(codes.NO_EFFECT, (*at, "exactly"), message, hint)
        if window.ends is None:
            continue
        end = datetime.fromisoformat(window.ends)
        if utc_seconds(end, config.timezone, is_later_of_two=True) <= now:
            message = f"the window has no effect: {window.ends} is over"
            place.note(codes.NO_EFFECT, (*at, "until"), message, "remove the window")
