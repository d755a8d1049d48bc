"""Why an order was not even begun, as a value: for the log, the metrics and the status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.decision import Order


class Withheld(StrEnum):
    """Why an order was not even begun. Closed: it is a metric label."""

    IN_FLIGHT = "in_flight"
    BACKING_OFF = "backing_off"
    TARGET_UNREADABLE = "target_unreadable"
    NO_TARGET = "no_target"
    STOPPING = "stopping"
    JOURNAL = "journal"
    NOT_ENFORCED = "not_enforced"
    CIRCUIT_OPEN = "circuit_open"
    QUEUE_FULL = "queue_full"
    OVERRIDDEN = "overridden"
    FLEET_UNREAD = "fleet_unread"
    NOT_OWNED = "not_owned"
    NOT_GRANTED = "not_granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withholding:
    """An order that was not begun, why in a sentence, and until when at least (UTC seconds)."""

    order: Order
    reason: Withheld
    sentence: str
    until: float | None = None
