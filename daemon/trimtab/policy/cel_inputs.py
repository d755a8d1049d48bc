"""What an expression may look at besides signals: named, typed values of the deployment and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.proposals import View

SIGNALS = "signals"
"""The name of the map of usable signals."""


class Sort(Enum):
    """Type of a value; whole and decimal numbers do not mix by themselves in CEL."""

    WHOLE = "INT"
    DECIMAL = "DOUBLE"
    TEXT = "STRING"


@dataclass(frozen=True, slots=True)
class Input:
    """One value: its type, how it is read (``None``: not known now), and what it is."""

    sort: Sort
    read: Callable[[View, datetime], int | float | str | None]
    description: str


def _accelerators(view: View) -> int | None:
    each = view.deployment.shape.accelerators_per_replica
    return None if each is None else view.current * each


def _lower(view: View) -> int | None:
    return None if view.bounds is None else view.bounds.lower.replicas


def _upper(view: View) -> int | None:
    return None if view.bounds is None else view.bounds.upper.replicas


INPUTS: Mapping[str, Input] = {
    "deployment.replicas": Input(
        Sort.WHOLE, lambda view, _: view.current, "replicas asked for now, ready and on their way"
    ),
    "deployment.ready": Input(Sort.WHOLE, lambda view, _: view.ready, "replicas that serve"),
    "deployment.starting": Input(
        Sort.WHOLE,
        lambda view, _: view.deployment.pipeline.on_their_way,
        "replicas that exist and do not serve yet",
    ),
    "deployment.min": Input(
        Sort.WHOLE, lambda view, _: _lower(view), "the lower effective bound, in replicas"
    ),
    "deployment.max": Input(
        Sort.WHOLE, lambda view, _: _upper(view), "the upper effective bound, in replicas"
    ),
    "deployment.accelerators": Input(
        Sort.WHOLE, lambda view, _: _accelerators(view), "accelerators of the replicas asked for"
    ),
    "deployment.acceleratorsPerReplica": Input(
        Sort.WHOLE,
        lambda view, _: view.deployment.shape.accelerators_per_replica,
        "accelerators that one replica takes",
    ),
    "deployment.leadTimeSeconds": Input(
        Sort.DECIMAL,
        lambda view, _: float(view.lead_time_seconds),
        "seconds from asking for a replica until it serves",
    ),
    "deployment.state": Input(
        Sort.TEXT, lambda view, _: view.deployment.state.value, "`READY`, `UPDATING`, …"
    ),
    "deployment.region": Input(
        Sort.TEXT, lambda view, _: view.deployment.region, "where it runs, as the platform says"
    ),
    "time.unix": Input(Sort.WHOLE, lambda view, _: int(view.now), "seconds since 1970 in UTC"),
    "time.minute": Input(Sort.WHOLE, lambda _, local: local.minute, "0 to 59, in `timezone`"),
    "time.hour": Input(Sort.WHOLE, lambda _, local: local.hour, "0 to 23, in `timezone`"),
    "time.weekday": Input(
        Sort.WHOLE,
        lambda _, local: local.isoweekday() % 7,
        "0 is Sunday, 6 Saturday (as in cron), in `timezone`",
    ),
    "time.day": Input(Sort.WHOLE, lambda _, local: local.day, "of the month, in `timezone`"),
    "time.month": Input(Sort.WHOLE, lambda _, local: local.month, "1 to 12, in `timezone`"),
}
"""Every input by the name that expressions use."""


def local_time(view: View, timezone: str) -> datetime:
    """The view's time in ``timezone``."""
    return datetime.fromtimestamp(view.now, tz=ZoneInfo(timezone))
