"""CSV files, plain or gzip: rows of bins or of requests, by the names of their columns."""

from __future__ import annotations

import csv
import math
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.errors import excerpt
from trimtab.plant.trace import TraceError, opened_text
from trimtab.policy.suggestions import did_you_mean
from trimtab.simulation.inputs import instants
from trimtab.simulation.inputs.bins import RawBins
from trimtab.simulation.inputs.columns import (
    OUTPUT_ROLES,
    PROMPT_ROLES,
    TRACE,
    Columns,
    Role,
    columns_of,
)
from trimtab.simulation.inputs.edges import bins_between
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.requests import RawRequests

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.simulation.inputs.bins import Floats

_DELIMITERS = ",;\t"
_UNKNOWN = frozenset({"", "nan", "null", "none", "na", "n/a", "-"})
"""How files write that they do not know, whatever the case."""


@dataclass(slots=True)
class _Table:
    """The columns that were asked for, as numbers, NaN where the file does not know."""

    path: Path
    columns: Columns
    is_absolute: bool
    values: dict[Role, Floats]
    lines: array[int]

    def of(self, roles: tuple[Role, ...]) -> tuple[Role | None, Floats]:
        """Return which of the roles there is, and its numbers, all unknown if there is none."""
        role = self.columns.first_of(roles)
        if role is None:
            return None, np.full(len(self.lines), np.nan)
        return role, self.values[role]


def read_csv(path: Path, columns: Columns | None = None) -> RawBins | RawRequests:
    """Read a file of bins or of requests; raise ``InputError`` for what cannot be read.

    Without ``columns`` the header must be that of one of the project's own formats. Bins must be in
    order of time, requests need not be.
    """
    table = _read_table(path, columns)
    return _requests(table) if table.columns.is_of_requests else _bins(table)


def _bins(table: _Table) -> RawBins:
    times = table.values[Role.TIME]
    for before, (after, line) in enumerate(zip(times[1:], table.lines[1:], strict=True)):
        if not after > times[before]:
            raise InputError(
                f"{table.path} line {line}: time {after:.10g} does not come after "
                f"{times[before]:.10g}; sort the rows by time, one row a bin"
            )
    edges, rows = bins_between(
        times, f"{table.path}", until_next=table.columns.names == TRACE.names
    )
    widths = np.diff(edges)
    role, counted = table.of((Role.REQUESTS, Role.RATE))
    rates = _spread(counted, rows, widths.size)
    if role is Role.REQUESTS:
        rates = rates / widths
    lengths = []
    for roles in (PROMPT_ROLES, OUTPUT_ROLES):
        role, told = table.of(roles)
        tokens = _spread(told, rows, widths.size)
        if role in (Role.PROMPT, Role.OUTPUT):
            tokens = tokens / widths
        if role not in (Role.PROMPT_MEAN, Role.OUTPUT_MEAN):
            tokens = np.divide(tokens, rates, where=rates > 0.0, out=np.full(widths.size, np.nan))
        lengths.append(np.where((tokens > 0.0) & (rates > 0.0), tokens, np.nan))
    return RawBins(
        edges_seconds=edges,
        requests_per_second=rates,
        prompt_tokens=lengths[0],
        output_tokens=lengths[1],
        started_at=float(times[0]) if table.is_absolute else None,
    )


def _spread(told: Floats, rows: Floats, count: int) -> Floats:
    """Put each row's value into its bin; bins that no row tells about stay unknown."""
    values = np.full(count, np.nan)
    values[rows.astype(np.intp)] = told
    return values


def _requests(table: _Table) -> RawRequests:
    times = table.values[Role.TIME]
    order = np.argsort(times, kind="stable")
    lengths = []
    for roles in (PROMPT_ROLES, OUTPUT_ROLES):
        _, told = table.of(roles)
        lengths.append(np.where(told > 0.0, told, np.nan)[order])
    # A file with seconds since its start says when that was; one with dates begins with its first row.
    origin = float(times[order[0]]) if table.is_absolute else 0.0
    return RawRequests(
        arrivals_seconds=times[order] - origin,
        prompt_tokens=lengths[0],
        output_tokens=lengths[1],
        started_at=origin if table.is_absolute else None,
    )


@contextmanager
def input_text(path: Path, kind: str) -> Iterator[io.TextIOWrapper]:
    """Open a text file as the plant's reader of traces does, with this package's error."""
    try:
        with opened_text(path, kind) as text:
            yield text
    except TraceError as error:
        raise InputError(str(error)) from error


def _read_table(path: Path, columns: Columns | None) -> _Table:
    with input_text(path, "CSV") as text:
        first = text.readline()
        delimiter = max(_DELIMITERS, key=first.count)
        if not first.strip():
            raise InputError(f"{path} begins with nothing; name a file with a header and rows")
        header = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter), ()))
        columns = columns or columns_of(header)
        if columns is None:
            found = excerpt(",".join(header), 120)
            raise InputError(
                f"{path} line 1: the header {found} is none of the known ones; say what its columns "
                "mean, as in --columns time=NAME,requests=NAME,prompt=NAME,output=NAME"
            )
        places = {role: _place(path, header, name) for role, name in columns.names.items()}
        rows = csv.reader(text, delimiter=delimiter)
        return _numbers(path, columns, places, len(header), rows)


def _place(path: Path, header: tuple[str, ...], name: str) -> int:
    """Return where the column of this name stands."""
    found = [index for index, one in enumerate(header) if one == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{path} line 1: {len(found)} columns are called {name}; rename all but one"
        )
    hint = did_you_mean(name, header).replace("`", "") or f"there are {', '.join(header)}"
    raise InputError(f"{path} line 1: there is no column {name!r}; {excerpt(hint, 200)}")


def _numbers(
    path: Path, columns: Columns, places: dict[Role, int], width: int, rows: Iterator[list[str]]
) -> _Table:
    time_format: instants.TimeFormat | None = None
    # Flat: as objects, numbers take four times the room, and files may have a hundred million.
    lines = array("q")
    values = {role: array("d") for role in places}
    others = [(role, place) for role, place in places.items() if role is not Role.TIME]
    time_place = places[Role.TIME]
    for number, row in _numbered(rows):
        if not row:
            continue
        if len(row) != width:
            raise InputError(
                f"{path} line {number}: {len(row)} fields where the header has {width}; "
                "complete or remove the row"
            )
        written = row[time_place]
        if time_format is None:
            time_format = instants.format_of(written)
        seconds = None if time_format is None else time_format.seconds(written)
        if seconds is None:
            raise InputError(
                f"{path} line {number}: {columns.names[Role.TIME]} is "
                f"{excerpt(written, 40)!r}, no time like those before it; {instants.REMEDY}"
            )
        values[Role.TIME].append(seconds)
        lines.append(number)
        for role, place in others:
            values[role].append(_amount(path, number, columns.names[role], row[place]))
    if time_format is None:
        raise InputError(f"{path} has no rows after its header; at least one is needed")
    arrays = {role: np.frombuffer(numbers) for role, numbers in values.items()}
    return _Table(path, columns, time_format.is_absolute, arrays, lines)


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Number the rows after the header as editors do; a quoted field may span several lines."""
    for row in rows:
        yield rows.line_num + 1, row  # type: ignore[attr-defined]  # csv's reader has it


def _amount(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan if text.strip().lower() in _UNKNOWN else -1.0
    if value < 0.0 or value == math.inf:
        raise InputError(
            f"{path} line {line}: {name} is {excerpt(text, 40)!r}; "
            "give a finite number, 0 or above, or leave it empty where it is unknown"
        )
    return value
