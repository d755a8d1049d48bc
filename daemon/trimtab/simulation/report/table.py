"""The table of a study: as rich draws it on a terminal, or as plain text for a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.simulation.report.figures import cell, shown_of
from trimtab.simulation.report.study import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from trimtab.simulation.report.study import Group, Study

HEAD = ("trace", "policy")
GAP = 2
"""Blanks between two columns of a table on a terminal."""


def ordered(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return the groups of one trace as tables show them: policies, then peers, then references.

    Among peers the cheapest first; policies stay in the order in which they were named.
    """
    roles = tuple(Role)

    def place(group: Group) -> tuple[int, float]:
        hours = group.spread("replica_hours")
        is_peer = group.role is Role.PEER
        return roles.index(group.role), hours.mean if is_peer and hours is not None else 0.0

    return tuple(sorted(groups, key=place))


def rows(study: Study, *, is_main_only: bool) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the titles and the rows; the trace is a column only if there are several."""
    figures = shown_of(study.results, is_main_only=is_main_only)
    has_traces = len(study.traces) > 1
    head = HEAD if has_traces else HEAD[1:]
    lines: list[tuple[str, ...]] = []
    for trace in study.traces:
        for group in ordered(study.groups_of(trace)):
            named = (group.trace, group.policy) if has_traces else (group.policy,)
            lines.append((*named, *(cell(group, one) for one in figures)))
    return (*head, *(one.title for one in figures)), lines


def rich_table(study: Study, width: int) -> tuple[Table, tuple[str, ...]]:
    """Return the main figures as a table of rich, and the titles that have no room in it.

    Policies stand out from what they are held to. Titles fold, figures and names do not: where a
    terminal of ``width`` columns is too narrow, the last figures are left out whole.
    """
    from rich.table import Table
    from rich.text import Text

    head, lines = rows(study, is_main_only=True)
    names = len(head) - len(shown_of(study.results, is_main_only=True))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    columns = list(zip(head, *lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if sum(widths) + GAP * len(widths) > width:  # titles fold between words, and nothing else
        widths = [max(map(len, (*title.split(), *cells))) for title, *cells in columns]
    kept = names + 1
    while kept < len(head) and sum(widths[: kept + 1]) + GAP * (kept + 1) <= width:
        kept += 1
    for index, title in enumerate(head[:kept]):
        table.add_column(
            title, justify="left" if index < names else "right", width=widths[index],
            overflow="fold",
        )  # fmt: skip
    roles = [group.role for trace in study.traces for group in ordered(study.groups_of(trace))]
    for line, role in zip(lines, roles, strict=True):
        style = {Role.POLICY: "bold", Role.PEER: "", Role.REFERENCE: "dim"}[role]
        table.add_row(*(Text(text) for text in line[:kept]), style=style)
    return table, head[kept:]


def plain_table(study: Study, *, is_main_only: bool = True) -> str:
    """Return the figures as aligned plain text, one line a row, each ending without spaces."""
    head, lines = rows(study, is_main_only=is_main_only)
    names = len(head) - len(shown_of(study.results, is_main_only=is_main_only))
    widths = [max(len(line[index]) for line in (head, *lines)) for index in range(len(head))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if index < names else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (head, *lines)
    )
