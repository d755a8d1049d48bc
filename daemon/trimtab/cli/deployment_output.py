"""One deployment of the daemon as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.cli.decision_output import LABEL_WIDTH, bounds_words, counts
from trimtab.cli.fleet_output import how
from trimtab.cli.moments import ago, local_time
from trimtab.cli.sheet import hanging

if TYPE_CHECKING:
    from collections.abc import Iterator

UPCOMING_MAX = 5


def deployment_lines(one: dict[str, Any], width: int | None) -> Iterator[str]:
    """Yield a ``DeploymentView``: first how it is."""
    yield from hanging("", _headline(one), width)
    yield ""
    for label, text in _facts(one):
        yield from hanging(f"{label:<{LABEL_WIDTH}}", text, width)


def _headline(one: dict[str, Any]) -> str:
    row = one["row"]
    if row is None:
        matching = ", ".join(one["policies"])
        why = f"several policies match it: {matching}" if matching else "no policy matches it"
        return f"{one['short_name']}: {why}, so nothing is decided for it"
    trouble = row["trouble"]
    said = trouble["sentence"] or row["sentence"]
    return f"{how(trouble['level'])}  {one['short_name']}: {said}"


def _facts(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "name", one["name"]
    yield "model", f"{one['base_model']} in {one['region'] or 'an unknown region'}"
    status = f": {one['status_message']}" if one["status_message"] else ""
    yield "state", f"{one['state']}{status}"
    yield from _decided(one)
    yield "serving", _pipeline(one["pipeline"])
    yield "on the wire", _range(one["min_replicas"], one["max_replicas"])
    yield "hardware", _shape(one["shape"])
    yield "lead time", _lead_time(one["lead_time"])
    yield from _standing(one)
    yield from _ahead(one)


def _decided(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    decision, now = one["decision"], one["at"]
    if decision is None:
        return
    yield "decision", f"{decision['sentence']} ({ago(decision['at'], now)})"
    yield "reason", decision["reason"]
    yield "to do", decision["change"]["remedy"]
    yield "policy", f"{decision['policy']}, mode {decision['mode']}"
    yield "replicas", counts(decision)
    if decision["bounds"] is not None:
        yield "allowed", bounds_words(decision["bounds"])


def _range(least: int, maximum: int | None) -> str:
    return f"{least} or more" if maximum is None else f"{least} to {maximum}"


def _pipeline(found: dict[str, Any]) -> str:
    coming = [
        f"{found[stage]} {stage}"
        for stage in ("pending", "downloading", "initializing")
        if found[stage]
    ]
    said = ", ".join([f"{found['ready']} of {found['asked']} asked for", *coming])
    return f"{said}; {found['revocable']} may be taken away" if found["revocable"] else said


def _shape(found: dict[str, Any]) -> str:
    kind, number = found["accelerator_type"], found["accelerators_per_replica"]
    if kind is None and number is None:
        return "not known"
    return f"{'?' if number is None else number} {kind or 'unknown accelerators'} a replica"


def _lead_time(found: dict[str, Any]) -> str:
    said = f"{found['p50_seconds']:.0f} s, nine of ten within {found['p90_seconds']:.0f} s"
    if found["origin"] == "learned":
        return f"{said} (learned from {found['starts']} starts, {found['failures']} failed)"
    starts = found["starts"]
    return f"{said} (from the {found['origin']}; {starts} start{'' if starts == 1 else 's'} seen)"


def _standing(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    now = one["at"]
    for order in one["overrides"]:
        until = f"until {local_time(order['until'], now)} ({ago(order['until'], now)})"
        yield "override", f"{order['text']} {until} by {order['author']}: {order['reason']}"
    for obstacle in one["obstacles"]:
        until = "" if obstacle["until"] is None else f", until {local_time(obstacle['until'], now)}"
        yield obstacle["kind"], f"{obstacle['sentence']} ({obstacle['reason']}{until})"
    if one["is_write_in_flight"]:
        yield "write", "one is under way"
    sharing = one["sharing"]
    if sharing["team"] is not None:
        own = sharing["guaranteed_accelerators"]
        guaranteed = "" if own is None else f", {own} accelerators guaranteed"
        yield "team", f"{sharing['team']}{guaranteed}"
    if sharing["short_since"] is not None:
        since = sharing["short_since"]
        yield (
            "short",
            f"granted less than it wants since {local_time(since, now)} ({ago(since, now)})",
        )
    for quota in sharing["quotas"]:
        held = f"{quota['held']} of {quota['accelerators']} held by all deployments"
        yield "quota", f"{quota['pool']}: {held} (from the {quota['source']})"
    for spend in sharing["spend"]:
        trims = "; it keeps orders back now" if spend["is_trimming"] else ""
        yield (
            "spend",
            f"{spend['spent_ratio']:.0%} of ${spend['usd']:,.0f} a {spend['period']}{trims}",
        )


def _ahead(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for event in one["upcoming"][:UPCOMING_MAX]:
        yield (
            "upcoming",
            f"{local_time(event['at'], one['at'])} ({ago(event['at'], one['at'])}): {event['sentence']}",
        )
