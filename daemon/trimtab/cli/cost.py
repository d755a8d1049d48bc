"""``trimtab cost``: what the journal says was spent, on whom, what stood idle, and what refusals cost."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.cli.cost_reading import Bill
    from trimtab.cli.cost_rows import Table

STDOUT = Path("-")

By = Literal["deployment", "team", "accelerator", "day", "reason"]


def cost(
    path: Annotated[
        str,
        typer.Argument(
            metavar="JOURNAL",
            help="The journal: the file that journal.path says, or the URL that journal.postgresql says.",
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="From then on: 2026-03-02T07:30, UTC, or how long ago: 36h, 7d. Left out: from the begin of "
            "the account's month.",
        ),
    ] = None,
    by: Annotated[By, typer.Option(help="What each row is about.")] = "deployment",
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE=USD",
            help="What an accelerator of a type costs an hour, in place of the price in force. May be repeated.",
        ),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the rows; - for here.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all of it; - for here.")
    ] = None,
    is_replayed: Annotated[
        bool,
        typer.Option(
            "--replay/--no-replay",
            help="Make every decision again, which says what was idle and what was refused; without, a large "
            "journal takes less time.",
        ),
    ] = True,
    _plugin: Plugins = None,
) -> None:
    """Show what was spent, as the journal has it; nothing is changed, and a daemon may be writing it meanwhile.

    The exit code is 0, or 1 when there is no journal or it cannot be read.
    """
    at, seconds = _since(since)
    for flag, file in (("--csv", csv_file), ("--json", json_file)):
        _check_file(flag, file)
    if csv_file == STDOUT and json_file == STDOUT:
        message = "only one of --csv and --json can be written here; name a file for the other"
        raise typer.BadParameter(message, param_hint="--json")
    prices = _prices(price or ())
    bill = _read(path, at, seconds, prices, is_replayed=is_replayed)
    bill.notes += _unused(prices, bill)
    _show(bill, by, csv_file, json_file)


def _read(
    place: str,
    since: float | None,
    seconds: float | None,
    prices: dict[str, float],
    *,
    is_replayed: bool,
) -> Bill:
    from trimtab.cli.cost_reading import read_bill
    from trimtab.errors import JournalError

    try:
        return read_bill(
            place, since=since, seconds=seconds, prices=prices, is_replayed=is_replayed
        )
    except JournalError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.FAILED) from None


def _show(bill: Bill, by: By, csv_file: Path | None, json_file: Path | None) -> None:
    from trimtab.cli.cost_output import as_csv, as_json
    from trimtab.cli.cost_rows import table_of

    table = table_of(bill, by)
    if STDOUT not in (csv_file, json_file):
        _print(bill, table)
    for file, text in ((csv_file, as_csv(table)), (json_file, as_json(bill, table))):
        if file == STDOUT:
            sys.stdout.write(text)
        elif file is not None:
            file.write_text(text, encoding="utf-8")
            typer.echo(f"wrote {file}", err=True)


def _print(bill: Bill, table: Table) -> None:
    from rich.console import Console

    from trimtab.cli.cost_output import lines, rich_table, warnings

    for line in lines(bill, table):
        typer.echo(line)
    typer.echo()
    if table.rows:
        Console().print(rich_table(table))
    else:
        typer.echo(
            "no refusal is known of this time" if table.by == "reason" else "there are no rows"
        )
    for line in warnings(bill, table):
        typer.echo(line, err=True)


def _since(text: str | None) -> tuple[float | None, float | None]:
    """Return a moment, or how many seconds ago. Raises ``BadParameter``."""
    from trimtab.policy.durations import parse_duration

    if text is None:
        return None, None
    seconds = parse_duration(text)
    if seconds is not None:
        return None, seconds
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = (
            f"{text!r} is not a time; write it as in 2026-03-02T07:30, or how long ago as in 36h"
        )
        raise typer.BadParameter(message, param_hint="--since") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp(), None


def _prices(texts: Sequence[str]) -> dict[str, float]:
    """Return US dollars an accelerator-hour by type. Raises ``BadParameter``."""
    found: dict[str, float] = {}
    for text in texts:
        kind, _, usd = text.partition("=")
        try:
            found[kind] = float(usd)
        except ValueError:
            found[kind] = -1.0
        if not kind or not 0.0 < found[kind] < 1e6:
            message = f"{text!r} is no price; write it as in NVIDIA_H100_80GB=6.25"
            raise typer.BadParameter(message, param_hint="--price")
    return found


def _unused(prices: Mapping[str, float], bill: Bill) -> Iterator[str]:
    """Tell of prices for what nothing ran on: mistyped, they would change nothing and say nothing."""
    from trimtab.policy.suggestions import did_you_mean

    kinds = sorted({key.accelerator_type for key in bill.ledger.costs if key.accelerator_type})
    for kind in prices:
        if kind not in kinds:
            hint = did_you_mean(kind, kinds).replace("`", "") or f"there is {', '.join(kinds)}"
            yield f"--price {kind} changes nothing, as nothing ran on it; {hint}"


def _check_file(flag: str, file: Path | None) -> None:
    """Refuse before the work what could only fail after it. Raises ``BadParameter``."""
    if file is None or file == STDOUT:
        return
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a directory; name a file", param_hint=flag)
    if not file.absolute().parent.is_dir():
        message = f"there is no directory {file.absolute().parent}; make it first"
        raise typer.BadParameter(message, param_hint=flag)
