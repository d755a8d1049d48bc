# ruff: noqa: INP001  a folder of scripts, no package
"""Makes docs/reference/events.md: what happens to deployments apart from decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

MEANINGS: Mapping[EventKind, str] = {
    EventKind.ADOPTED: "A policy speaks of the deployment for the first time. What stood on it is taken "
    "for the range that people meant, unless an earlier run left a note of theirs.",
    EventKind.RECREATED: "A deployment of the same name was created anew: all that was remembered of the "
    "earlier one is forgotten.",
    EventKind.RETURNED: "It was missing from what was read, and is there again.",
    EventKind.STATE_CHANGED: "The control plane shows another state; of FAILED, with its message.",
    EventKind.BOUNDS_CHANGED: "Somebody else set the replica bounds. Nothing is written for "
    "`outOfBand.grace`; then their range holds. Our own writes, seen late or early, are not among these.",
    EventKind.OVERRIDE_EXPIRED: "A person's order came to its end by itself.",
    EventKind.GONE: "The deployment does not exist any more. Nothing is recreated.",
    EventKind.SHAPE_CHANGED: "It runs on other hardware now. What was heard of load stays; lead times and "
    "breaches of the other hardware do not count, and waiting begins anew.",
    EventKind.DELETION_SET: "A time of deletion or purge is set: as if it were being deleted.",
    EventKind.EXPIRY_NEAR: "A replica asked for now would not serve for `expiry.minimumUsefulTime`: no more "
    "are asked for. The lead time counted is the 90th percentile.",
    EventKind.EXPIRED: "Its expiry time has come; `expiry.atExpiry` says what happens.",
    EventKind.FLOOR_BEGAN: "One of the platform's own schedules keeps a minimum from now on.",
    EventKind.FLOOR_ENDED: "One of the platform's own schedules has ended. The count falls as "
    "`behavior.scaleDown` lets it.",
    EventKind.REPLICA_READY: "Replicas that trimtab asked for serve; with the time that they took, from "
    "which lead times are learned.",
    EventKind.STUCK: "Nothing that was asked for has come for longer than `stuck.after`. No more is asked "
    "for, and the first healthy deployment of `stuck.fallbackTo` makes up for it.",
    EventKind.UNSTUCK: "A replica came, or none is missed any more.",
    EventKind.CAPACITY_REFUSED: "The platform has no accelerators, or the quota allows none: asked again "
    "after a pause that doubles with each refusal, from a minute to an hour.",
    EventKind.CAPACITY_AVAILABLE: "Replicas came or a write was accepted after a refusal, or an hour has "
    "passed without another one.",
}


def events_page() -> str:
    """Return docs/reference/events.md. Raises ``SystemExit`` unless every kind is explained once."""
    differing = [one.value for one in EventKind if one not in MEANINGS]
    if differing or list(MEANINGS) != list(EventKind):
        names = ", ".join(differing) or "their order"
        raise SystemExit(
            f"docs/events.py and EventKind differ in {names}: explain each kind once, in the "
            "order of the code"
        )
    lines = [
        "# Events",
        "",
        "What happens to deployments apart from decisions: each told once, when it begins. Label `kind` of",
        "`trimtab_events_total`, field of log lines, entry in the journal. A restart tells none again.",
        "",
        "| event | what it says |",
        "|---|---|",
    ]
    lines += [f"| `{kind.value}` | {meaning} |" for kind, meaning in MEANINGS.items()]
    return "\n".join(lines)
