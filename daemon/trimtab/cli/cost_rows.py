"""A bill by deployment, team, accelerator, day or reason: rows that add up to the total."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from trimtab.core.cost import Cost, Refused

if TYPE_CHECKING:
    from trimtab.cli.cost_reading import Bill
    from trimtab.core.cost import Key, Running

By = Literal["deployment", "team", "accelerator", "day", "reason"]

NO_TEAM = "(no team)"
UNKNOWN_TYPE = "(unknown)"


@dataclass(slots=True)
class Now:
    """What serves at the end: accelerators, what they cost an hour, and how many of them have no price."""

    accelerators: int = 0
    usd_an_hour: float = 0.0
    unpriced_accelerators: int = 0
    unknown_replicas: int = 0

    @property
    def is_priced(self) -> bool:
        """Whether anything of it has a price, or nothing serves."""
        is_unknown = self.unpriced_accelerators > 0 or self.unknown_replicas > 0
        return self.usd_an_hour > 0 or not is_unknown

    def add(self, running: Running) -> None:
        """Add one deployment."""
        if running.accelerators is None:
            self.unknown_replicas += running.replicas
            return
        count = running.accelerators * running.replicas
        self.accelerators += count
        rate = running.rate_usd_an_hour
        if rate is None:
            self.unpriced_accelerators += count
        else:
            self.usd_an_hour += rate


@dataclass(slots=True)
class Row:
    """Everything that is known of ``name``."""

    name: str
    cost: Cost = field(default_factory=Cost)
    refused: Refused = field(default_factory=Refused)
    now: Now = field(default_factory=Now)


@dataclass(frozen=True, slots=True)
class Table:
    """A bill by something: its rows, the dearest first (days in their order), and all of them together."""

    by: By
    rows: tuple[Row, ...]
    total: Row


def table_of(bill: Bill, by: By) -> Table:
    """Return ``bill`` by deployment, team, accelerator, day or reason."""
    rows: dict[str, Row] = {}
    total = Row("total")
    ledger = bill.ledger

    def of(name: str) -> Row:
        return rows.setdefault(name, Row(name))

    for key, cost in ledger.costs.items():
        total.cost.add(cost)
        if by != "reason":
            of(_name(key, by, bill)).cost.add(cost)
    for (key, reason), refused in ledger.refusals.items():
        total.refused.add(refused)
        of(reason.value if by == "reason" else _name(key, by, bill)).refused.add(refused)
    for name, running in ledger.running:
        total.now.add(running)
        if by in ("deployment", "team", "accelerator"):
            of(_group(name, running.team, running.accelerator_type, by)).now.add(running)
    if by == "day":
        found = sorted(rows.values(), key=lambda row: row.name)
    else:
        found = sorted(
            rows.values(),
            key=lambda row: (
                -row.cost.usd,
                -row.cost.accelerator_hours,
                -row.refused.refused_replica_hours,
                row.name,
            ),
        )
    return Table(by, tuple(found), total)


def _name(key: Key, by: By, bill: Bill) -> str:
    if by == "day":
        return f"{datetime.fromtimestamp(key.day, ZoneInfo(bill.fleet.timezone)):%Y-%m-%d}"
    return _group(key.deployment, key.team, key.accelerator_type, by)


def _group(deployment: str, team: str, accelerator_type: str | None, by: By) -> str:
    if by == "team":
        return team or NO_TEAM
    if by == "accelerator":
        return accelerator_type or UNKNOWN_TYPE
    return deployment


def moment(at: float, zone: str | None = None) -> str:
    """Return a time as people read it, in the account's zone or UTC."""
    return f"{datetime.fromtimestamp(at, UTC if zone is None else ZoneInfo(zone)):%Y-%m-%d %H:%M}"
