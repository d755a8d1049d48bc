"""Faults on demand: how the world in front of and behind the control plane can fail.

A fault has a kind, says where it strikes (operation and target, shell patterns), how often
(``count``, ``probability``) and until when. The chance comes from the emulator's seed.
"""

from __future__ import annotations

import fnmatch
import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    ERROR = "error"
    APPLIED_ERROR = "applied_error"
    RESET = "reset"
    APPLIED_RESET = "applied_reset"
    STALE_READ = "stale_read"
    HTML = "html"
    TRUNCATED_JSON = "truncated_json"
    EMPTY_BODY = "empty_body"
    WRONG_TYPE = "wrong_type"
    METRICS_GAP = "metrics_gap"
    CAPACITY_STUCK = "capacity_stuck"
    CAPACITY_REFUSED = "capacity_refused"
    FAIL_ON_CREATE = "fail_on_create"
    FAIL_ON_UPDATE = "fail_on_update"


MEANINGS: dict[FaultKind, str] = {
    FaultKind.LATENCY: "the answer comes `seconds` later (of the emulator's clock)",
    FaultKind.ERROR: "answered with `status` and nothing is done",
    FaultKind.APPLIED_ERROR: "done, and still answered with `status`",
    FaultKind.RESET: "the connection is cut before anything is done",
    FaultKind.APPLIED_RESET: "done, then the connection is cut without an answer",
    FaultKind.STALE_READ: "a read of a deployment shows it as before its latest write",
    FaultKind.HTML: "a proxy's HTML page with `status`",
    FaultKind.TRUNCATED_JSON: "the body ends in the middle",
    FaultKind.EMPTY_BODY: "200 with nothing in it",
    FaultKind.WRONG_TYPE: "valid JSON of another type: a list instead of an object",
    FaultKind.METRICS_GAP: "the target's series are missing from /metrics",
    FaultKind.CAPACITY_STUCK: "the target's replicas stay pending: no accelerator anywhere",
    FaultKind.CAPACITY_REFUSED: "as `capacity_stuck`, and the target's status says so",
    FaultKind.FAIL_ON_CREATE: "the target becomes FAILED instead of READY",
    FaultKind.FAIL_ON_UPDATE: "the target's next rollout fails",
}

ANSWER_KINDS = frozenset(
    {
        *(FaultKind.LATENCY, FaultKind.ERROR, FaultKind.APPLIED_ERROR, FaultKind.RESET),
        *(FaultKind.APPLIED_RESET, FaultKind.STALE_READ, FaultKind.HTML),
        *(FaultKind.TRUNCATED_JSON, FaultKind.EMPTY_BODY, FaultKind.WRONG_TYPE),
    }
)
"""The kinds that change how one request is answered; the others change the world."""


CAPACITY_KINDS = frozenset({FaultKind.CAPACITY_STUCK, FaultKind.CAPACITY_REFUSED})
"""The kinds that keep replicas from being scheduled."""


@dataclass(slots=True)
class Fault:
    """One fault. ``count`` ``None``: as often as it matches. ``until`` UTC seconds or ``None``.

    ``operation`` matches names such as ``UpdateDeployment``; ``target`` matches full resource
    names such as ``accounts/a/deployments/d``. Both take shell patterns.
    """

    kind: FaultKind
    operation: str = "*"
    target: str = "*"
    count: int | None = None
    probability: float = 1.0
    until: float | None = None
    seconds: float = 0.0
    status: int = 503
    message: str = ""
    retry_after_seconds: int | None = None
    id: int = 0

    def is_due(self, now: float) -> bool:
        """Say whether it could strike now, somewhere."""
        return self.count != 0 and (self.until is None or now < self.until)

    def matches(self, operation: str, target: str, now: float) -> bool:
        """Say whether it could strike here and now."""
        return (
            self.is_due(now)
            and fnmatch.fnmatchcase(operation, self.operation)
            and fnmatch.fnmatchcase(target, self.target)
        )


class Faults:
    """The faults that are armed."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ids = itertools.count(1)
        self._armed: dict[int, Fault] = {}

    def add(self, fault: Fault) -> Fault:
        """Arm a fault and give it an id."""
        fault.id = next(self._ids)
        self._armed[fault.id] = fault
        return fault

    def remove(self, fault_id: int) -> bool:
        """Disarm one fault; says whether it was armed."""
        return self._armed.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def armed(self) -> list[Fault]:
        """Return what is armed, oldest first."""
        return list(self._armed.values())

    def strike(self, operation: str, target: str, now: float) -> dict[FaultKind, Fault]:
        """Return the faults that this request meets, one per kind, and count them down."""
        return {fault.kind: fault for fault in self._taken(ANSWER_KINDS, operation, target, now)}

    def holds(self, kind: FaultKind, target: str, now: float) -> bool:
        """Say whether a fault of the world is in force for this resource (nothing is counted)."""
        return bool(self._armed) and any(
            fault.kind is kind and fault.matches("*", target, now) for fault in self._armed.values()
        )

    def may_hold(self, kinds: frozenset[FaultKind], now: float) -> bool:
        """Say whether a fault of one of these kinds is in force for anyone at all."""
        return any(fault.kind in kinds and fault.is_due(now) for fault in self._armed.values())

    def takes(self, kind: FaultKind, target: str, now: float) -> bool:
        """Say whether a fault of the world strikes this resource once, and count it down."""
        return next(iter(self._taken({kind}, "*", target, now)), None) is not None

    def _taken(
        self, kinds: Iterable[FaultKind], operation: str, target: str, now: float
    ) -> list[Fault]:
        if not self._armed:
            return []
        wanted = frozenset(kinds)
        struck: list[Fault] = []
        for fault in list(self._armed.values()):
            if fault.kind not in wanted or not fault.matches(operation, target, now):
                continue
            if fault.probability < 1.0 and self._rng.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count == 0:
                    del self._armed[fault.id]
            struck.append(fault)
        return struck
