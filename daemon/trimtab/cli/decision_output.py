"""One decision of the daemon as people read it: the sentence, the trail with what decided, what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.cli.moments import ago, local_time
from trimtab.cli.sheet import hanging
from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL_WIDTH = 12
STAGE_WIDTH = 10
CHANGE_WIDTH = 9

DECISIVE = "▸"
"""Stands before the step, and the rule, without which it would have been decided otherwise."""


def decision_lines(one: dict[str, Any], now: str, width: int | None) -> Iterator[str]:
    """Yield a ``DecisionView``: first its sentence. ``width`` as of ``hanging``."""
    yield from hanging("", one["sentence"], width)
    yield ""
    for label, text in _facts(one, now):
        yield from hanging(f"{label:<{LABEL_WIDTH}}", text, width)
    yield ""
    yield from trail_lines(one, width)
    yield ""
    yield from change_lines(one, width)


def _facts(one: dict[str, Any], now: str) -> Iterator[tuple[str, str]]:
    yield "deployment", one["deployment"]
    yield "policy", f"{one['policy']}, mode {one['mode']}"
    said = f"{local_time(one['at'], now)} ({ago(one['at'], now)})"
    if one["evaluations"] > 1 and one["until"] is not None:
        said += f", and {one['evaluations']} times in a row until {local_time(one['until'], now)}"
    yield "decided", said
    yield "replicas", counts(one)
    if one["bounds"] is not None:
        yield "allowed", bounds_words(one["bounds"])
    for reading in one["readings"]:
        yield "signal", f"{reading['signal']}: {_value(reading)}"
    for rule in one["proposals"]:
        mark = f" {DECISIVE} decides" if rule["is_decisive"] else ""
        yield "rule", f"{rule['rule']} ({rule['role']}): {rule['sentence']}{mark}"
    if one["id"] is not None:
        yield "id", one["id"]


def counts(one: dict[str, Any]) -> str:
    """Return what was asked for before and after, and what the rules wanted."""
    moved = one["current"] != one["desired"]
    said = f"{one['current']} → {one['desired']}" if moved else f"{one['current']}"
    wanted = one["wanted"]
    said += ", no rule can tell what is wanted" if wanted is None else f", {wanted} wanted"
    if one["actual"] is not None:
        said += f"; the policy only advises, {one['actual']} in fact"
    return said


def bounds_words(bounds: dict[str, Any]) -> str:
    """Return both ends of a range, each with what set it."""
    lower, upper = bounds["lower"], bounds["upper"]
    return f"{lower['replicas']} ({lower['set_by']}) to {upper['replicas']} ({upper['set_by']})"


def _value(reading: dict[str, Any]) -> str:
    where = f" ({reading['source']}: {reading['query']})"
    age = reading["age_seconds"]
    if reading["value"] is None:
        old = "" if age is None else f", {age:.0f} s old"
        return f"{reading['freshness']}{old}, at most {reading['max_age_seconds']:.0f} s{where}"
    return f"{reading['value']:.6g} per {reading['per']}, {age or 0:.0f} s old{where}"


def trail_lines(one: dict[str, Any], width: int | None) -> Iterator[str]:
    """Yield a line for each step: whether it decides, the stage, the count before and after, why."""
    for step in one["trail"]:
        before, after = step["before"], step["after"]
        change = "" if before is None else f"{after}" if before == after else f"{before} → {after}"
        mark = DECISIVE if step["is_decisive"] else " "
        reason = "" if step["reason"] is None else f"[{step['reason']}] "
        label = f"{mark} {printable(step['stage']):<{STAGE_WIDTH}} {change:<{CHANGE_WIDTH}} "
        yield from hanging(label, f"{reason}{step['sentence']}", width)


def change_lines(one: dict[str, Any], width: int | None) -> Iterator[str]:
    """Yield what the decision rests on, what that means, and what would change it."""
    change = one["change"]
    step = None if change["step"] is None else one["trail"][change["step"]]
    rests = change["reason"] if step is None else f"{change['reason']}, at the step {step['stage']}"
    for label, text in (
        ("because", rests),
        ("that means", change["meaning"]),
        ("to do", change["remedy"]),
    ):
        yield from hanging(f"{label:<{LABEL_WIDTH}}", text, width)
