"""Events on workloads, as ``kubectl describe`` shows them: what trimtab did there, and why. Pure.

The same thing said again soon is one Event with a count, and a workload of which there would be too much to
say is cut short: as the cluster's own components do it (client-go's event correlator), with smaller numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.core.decision import WriteStatus
from trimtab.errors import excerpt

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.targets.port import WriteResult

SERIES_SECONDS = 600.0
"""What is said again within this time counts on."""

BURST = 10
REFILL_SECONDS = 60.0
"""Of one workload so many new Events at once, and one more after every so many seconds."""

SERIES_MAX = 4096
MESSAGE_CHARACTERS_MAX = 1000
"""The API takes 1024."""

NORMAL, WARNING = "Normal", "Warning"
COMPONENT = "trimtab"


class About(NamedTuple):
    """The object that an Event is on."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class Note(NamedTuple):
    """What happened: a word in CamelCase, how grave it is, and a sentence."""

    reason: str
    severity: str
    message: str


class EventWrite(NamedTuple):
    """An Event to create, or (``is_repeat``) to count on, in ``namespace`` under ``name``."""

    namespace: str
    name: str
    body: dict[str, Any]
    is_repeat: bool


@dataclass(slots=True)
class _Series:
    name: str
    first_at: float
    last_at: float
    count: int


def note_of(order: Order, result: WriteResult) -> Note:
    """Return what to say on a workload about a write that has ended."""
    match result.status:
        case WriteStatus.APPLIED:
            is_up = order.to_replicas > order.from_replicas
            return Note("ScaledUp" if is_up else "ScaledDown", NORMAL, order.sentence)
        case WriteStatus.UNKNOWN:
            return Note("ScaleUncertain", WARNING, result.sentence)
        case _:
            return Note("ScaleRefused", WARNING, result.sentence)


def other_scaler_note(other: str) -> Note:
    """Return what to say where something else scales a workload."""
    return Note("OtherScaler", WARNING, f"{other} scales it too; trimtab writes nothing meanwhile")


class EventBook:
    """Knows what was said lately, and makes of a note the one request that says it, or none."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Note], _Series] = {}
        self._full_at: dict[str, float] = {}
        self.cut_short = 0
        """Notes that were too many."""

    def write(self, about: About, note: Note, now: float) -> EventWrite | None:
        """Return what to send at ``now`` (UTC seconds); ``None`` for a note too many."""
        note = note._replace(message=excerpt(note.message, MESSAGE_CHARACTERS_MAX))
        key = (about.uid, note)
        known = self._series.pop(key, None)
        if known is not None and now - known.last_at < SERIES_SECONDS:
            known.count, known.last_at = known.count + 1, now
            self._series[key] = known
            body = {"count": known.count, "lastTimestamp": timestamp(now)}
            return EventWrite(about.namespace, known.name, body, is_repeat=True)
        if not self._is_admitted(about.uid, now):
            self.cut_short += 1
            return None
        digest = sha256("\0".join((about.uid, *note, f"{now:.6f}")).encode()).hexdigest()[:16]
        series = _Series(f"{about.name[:236]}.{digest}", now, now, 1)
        self._series[key] = series
        self._forget(now)
        return EventWrite(about.namespace, series.name, _event(about, note, series), False)

    def again(self, about: About, note: Note, now: float) -> EventWrite | None:
        """Return what to send where the Event that was to be counted on is gone."""
        note = note._replace(message=excerpt(note.message, MESSAGE_CHARACTERS_MAX))
        self._series.pop((about.uid, note), None)
        return self.write(about, note, now)

    def _is_admitted(self, uid: str, now: float) -> bool:
        full_at = max(self._full_at.get(uid, 0.0), now)
        if full_at - now > (BURST - 1) * REFILL_SECONDS:
            return False
        self._full_at[uid] = full_at + REFILL_SECONDS
        return True

    def _forget(self, now: float) -> None:
        if len(self._series) > SERIES_MAX:
            del self._series[next(iter(self._series))]
        if len(self._full_at) > SERIES_MAX:
            self._full_at = {uid: at for uid, at in self._full_at.items() if at > now}


def _event(about: About, note: Note, series: _Series) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": series.name, "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "reason": note.reason,
        "message": note.message,
        "type": note.severity,
        "count": series.count,
        "firstTimestamp": timestamp(series.first_at),
        "lastTimestamp": timestamp(series.last_at),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
        "action": "Scale",
    }


def timestamp(at: float) -> str:
    """Return UTC seconds as the API writes times."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
