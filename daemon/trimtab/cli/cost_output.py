"""A bill for people, as CSV and as JSON. What is not known is empty or ``null``, never 0."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from trimtab.cli.cost_rows import moment
from trimtab.core.counted import counted
from trimtab.core.fleet_policy import Period
from trimtab.core.spend import HOUR_SECONDS, span_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.cli.cost_reading import Bill
    from trimtab.cli.cost_rows import Row, Table
    from trimtab.core.fleet_policy import SpendLimit

ROWS_MAX = 40
"""Rows that a terminal is shown; files hold all."""

_SMALL = 5e-7


def values(row: Row, by: str) -> dict[str, float | None]:
    """Return the numbers of a row by name, units last; ``None``: unknown, or of no meaning here."""
    cost, refused, now = row.cost, row.refused, row.now
    has_price = cost.usd > 0 or cost.accelerator_hours <= cost.unpriced_accelerator_hours + _SMALL
    is_free = cost.unpriced_accelerator_hours <= _SMALL and cost.unknown_replica_hours <= _SMALL
    is_judged = cost.usd - cost.unjudged_usd > _SMALL
    has_now = by not in ("day", "reason") or row.name == "total"
    is_told = refused.missed_requests > 0 or refused.missed_replica_hours <= _SMALL
    is_missed_known = is_judged or refused.refused_replica_hours > 0
    found: dict[str, float | None] = {
        "spent_usd": cost.usd if has_price and (cost.usd > 0 or is_free) else None,
        "assumed_usd": cost.assumed_usd,
        "idle_usd": cost.idle_usd if is_judged else None,
        "unjudged_usd": cost.unjudged_usd,
        "accelerator_hours": cost.accelerator_hours,
        "unpriced_accelerator_hours": cost.unpriced_accelerator_hours,
        "unknown_replica_hours": cost.unknown_replica_hours,
        "running_accelerators": now.accelerators if has_now else None,
        "running_usd_an_hour": now.usd_an_hour if has_now and now.is_priced else None,
        "running_unpriced_accelerators": now.unpriced_accelerators if has_now else None,
        "refused_replica_hours": refused.refused_replica_hours if is_missed_known else None,
        "missed_replica_hours": refused.missed_replica_hours if is_missed_known else None,
        "missed_requests": refused.missed_requests if is_missed_known and is_told else None,
    }
    if by == "reason" and row.name != "total":
        return {name: one for name, one in found.items() if name.startswith(("refused", "missed"))}
    return found


def as_csv(table: Table) -> str:
    """Return one line for each row and none for the total, so that columns can be added up."""
    out = io.StringIO()
    names = list(values(table.rows[0] if table.rows else table.total, table.by))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([table.by, *names])
    for row in table.rows:
        writer.writerow([row.name, *map(_cell, values(row, table.by).values())])
    return out.getvalue()


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def as_json(bill: Bill, table: Table) -> str:
    """Return the whole bill as a document."""
    kinds = sorted({key.accelerator_type for key in bill.ledger.costs if key.accelerator_type})
    prices = {kind: bill.fleet.prices.get(kind) for kind in kinds}
    document: dict[str, Any] = {
        "source": bill.source,
        "since": bill.since,
        "until": bill.until,
        "timezone": bill.fleet.timezone,
        "by": table.by,
        "rows": [{table.by: row.name, **values(row, table.by)} for row in table.rows],
        "total": values(table.total, table.by),
        "limits": [_limit(bill, limit) for limit in bill.fleet.spend_limits],
        "prices": {
            kind: None if one is None else {"usd_an_hour": one.usd_an_hour, "source": one.source}
            for kind, one in prices.items()
        },
        "notes": bill.notes,
    }
    return json.dumps(document, indent=2) + "\n"


def _limit(bill: Bill, limit: SpendLimit) -> dict[str, Any]:
    spent, rate = bill.spending.of(limit.period), bill.spending.usd_an_hour
    span = span_of(limit.period, bill.fleet.timezone, bill.until)
    if limit.period is Period.HOUR:
        return {"period": "hour", "limit_usd": limit.usd, "rate_usd_an_hour": rate}
    usd = None if spent is None or spent.begin != span.begin else spent.usd
    left_hours = (span.end - bill.until) / HOUR_SECONDS
    return {
        "period": limit.period.value,
        "limit_usd": limit.usd,
        "spent_usd": usd,
        "assumed_usd": None if usd is None or spent is None else spent.assumed_usd,
        "ahead_usd": None if usd is None else usd + rate * left_hours,
        "ends_at": span.end,
    }


def lines(bill: Bill, table: Table) -> Iterator[str]:
    """Yield what stands above and below the table on a terminal."""
    total, now, refused = table.total.cost, table.total.now, table.total.refused
    zone = bill.fleet.timezone
    yield f"from {moment(bill.since, zone)} to {moment(bill.until, zone)} ({zone})"
    said = f"spent      {_usd(total.usd)}"
    if total.assumed_usd > _SMALL:
        said += f", {_usd(total.assumed_usd)} of it assumed for what nobody could look at"
    if total.unpriced_accelerator_hours > _SMALL:
        said += f", and {total.unpriced_accelerator_hours:,.2f} accelerator-hours without a price"
    yield said
    said = f"running    {_usd(now.usd_an_hour if now.is_priced else None)} an hour"
    said += f" for {counted(now.accelerators - now.unpriced_accelerators, 'accelerator')}"
    if now.unpriced_accelerators:
        said += f", and {now.unpriced_accelerators} without a price"
    yield said
    judged_usd = total.usd - total.unjudged_usd
    if judged_usd > _SMALL:
        known = f"the {_usd(judged_usd)} of which it is known"
        of = known if total.unjudged_usd > _SMALL else "it"
        yield f"idle       {_usd(total.idle_usd)} beyond the load, {total.idle_usd / judged_usd:.0%} of {of}"
    if refused.refused_replica_hours > _SMALL:
        yield (
            f"refused    {refused.refused_replica_hours:,.2f} replica-hours, of which load would have used "
            f"{refused.missed_replica_hours:,.2f}{_requests(table)}"
        )
    for limit in bill.fleet.spend_limits:
        yield _limit_words(bill, limit)


def _requests(table: Table) -> str:
    refused = table.total.refused
    if refused.missed_requests <= 0:
        return ""
    noun = "request" if round(refused.missed_requests) == 1 else "requests"
    untold = ", and more where it is not told what a replica carries"
    return f": {refused.missed_requests:,.0f} {noun}" + (
        untold if refused.untold_replica_hours > _SMALL else ""
    )


def _limit_words(bill: Bill, limit: SpendLimit) -> str:
    one = _limit(bill, limit)
    if limit.period is Period.HOUR:
        return f"limit      {_usd(limit.usd)} an hour; {_usd(one['rate_usd_an_hour'])} run"
    if one["spent_usd"] is None:
        return f"limit      {_usd(limit.usd)} a {limit.period}; what is spent is not known"
    return (
        f"limit      {_usd(limit.usd)} a {limit.period}, of which {_usd(one['spent_usd'])} are spent; at this "
        f"rate {_usd(one['ahead_usd'])} by {moment(one['ends_at'], bill.fleet.timezone)}"
    )


def warnings(bill: Bill, table: Table) -> Iterator[str]:
    """Yield what the numbers leave out."""
    total = table.total.cost
    if total.unpriced_accelerator_hours > _SMALL:
        kinds = sorted(
            {
                key.accelerator_type or ""
                for key, cost in bill.ledger.costs.items()
                if cost.unpriced_accelerator_hours > _SMALL
            }
        )
        yield (
            f"{total.unpriced_accelerator_hours:,.2f} accelerator-hours have no price and are in no sum: give "
            f"one for {', '.join(kinds)} in a Fleet, or with --price TYPE=USD"
        )
    if total.unknown_replica_hours > _SMALL:
        yield (
            f"{total.unknown_replica_hours:,.2f} replica-hours served on unknown accelerators and are in no sum"
        )
    yield from bill.notes


def rich_table(table: Table) -> Any:
    """Return the rows for a terminal; refusals only where there are some."""
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(box=box.SIMPLE, show_edge=False, pad_edge=False)
    heads = {head: cell for head, cell in _COLUMNS.items() if _is_shown(head, table)}
    shown.add_column(table.by, overflow="fold", min_width=len(table.by))
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    for row in table.rows[:ROWS_MAX]:
        found = values(row, table.by)
        shown.add_row(_short(row.name), *(say(found.get(name)) for name, say in heads.values()))
    if len(table.rows) > ROWS_MAX:
        shown.add_row(f"… {len(table.rows) - ROWS_MAX} more (--csv has all)")
    return shown


def _is_shown(head: str, table: Table) -> bool:
    if head in _OF_REFUSALS:
        return table.by == "reason" or table.total.refused.refused_replica_hours > _SMALL
    if head in _OF_NOW:
        return table.by not in ("day", "reason")
    return table.by != "reason"


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


_COLUMNS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "spent": ("spent_usd", _usd),
    "idle": ("idle_usd", _usd),
    "running": ("running_accelerators", lambda value: _number(value, 0)),
    "an hour": ("running_usd_an_hour", _usd),
    "refused h": ("refused_replica_hours", lambda value: _number(value, 2)),
    "missed h": ("missed_replica_hours", lambda value: _number(value, 2)),
    "requests": ("missed_requests", lambda value: _number(value, 0)),
}
_OF_NOW = ("running", "an hour")
_OF_REFUSALS = ("refused h", "missed h", "requests")


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
