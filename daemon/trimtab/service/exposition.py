"""The text of ``/metrics``, in pieces that are each well below a millisecond of work.

Ten thousand deployments have a quarter of a million series; written in one go they would hold up the event
loop for a second. The text is, byte for byte, that of ``prometheus_client``. What a deployment's series say
is taken at one moment, all of them together; another deployment may be taken a few turns of the loop later.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from prometheus_client.utils import floatToGoString

from trimtab.service.series import Labelled, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

    from trimtab.service.series import Gauge, Table
    from trimtab.service.status import DeploymentStatus, StatusSnapshot

PIECE_ROWS = 128
"""Rows that are looked at between two turns of the event loop."""

PLAIN_BELOW = 1e6
"""Below this, Python and Go write a number alike."""

_Piece: TypeAlias = "list[tuple[Any, str, tuple[str, ...]]]"
"""Some of a table's subjects, each with the labels that its series have in common: their text, their values."""


class Exposition:
    """Writes what a registry of few series has, and then every table of many."""

    def __init__(
        self,
        few: CollectorRegistry,
        status: Callable[[], StatusSnapshot],
        deployments: Callable[[], Iterator[DeploymentStatus]],
    ) -> None:
        self._few = few
        self._status = status
        self._deployments = deployments

    def pieces(self, *, is_openmetrics: bool = False) -> Iterator[str]:
        """Yield the text: the plain format 0.0.4, or OpenMetrics 1.0.

        An empty piece stands for work that has no text yet.
        """
        for family in self._few.collect():
            yield _few_series(family, is_openmetrics=is_openmetrics)
        for table in tables(self._status(), self._deployments()):
            yield from _many_series(table)
        if is_openmetrics:
            yield "# EOF\n"


def _few_series(family: Family, *, is_openmetrics: bool) -> str:
    """Return the text of a counter, gauge or histogram, none of which has times or exemplars."""
    is_renamed = family.type == "counter" and not is_openmetrics
    name = f"{family.name}_total" if is_renamed else family.name
    lines = [_head(name, family.documentation, family.type)]
    for sample in family.samples:
        labels = _labels(sample.labels.items())
        text = f"{{{labels}}}" if labels else ""
        lines.append(f"{sample.name}{text} {number_text(sample.value)}\n")
    return "".join(lines)


def _many_series(table: Table[Any]) -> Iterator[str]:
    pieces: list[_Piece] = []
    while rows := tuple(islice(table.rows, PIECE_ROWS)):
        pieces.append(
            [
                (
                    row.subject,
                    _labels(zip(table.label_names, row.labels, strict=True)),
                    row.labels,
                )
                for row in rows
            ]
        )
        yield ""
    for gauge in table.gauges:
        yield _head(gauge.metric.name, gauge.metric.help, "gauge")
        write = _writer(gauge, table.label_names)
        for piece in pieces:
            yield write(piece)


def _writer(gauge: Gauge[Any], row_names: tuple[str, ...]) -> Callable[[_Piece], str]:
    if isinstance(gauge, Labelled):
        return _writer_of_labelled(gauge, row_names)
    name, number_of = gauge.metric.name, gauge.number_of

    def write(piece: _Piece) -> str:
        return "".join(
            [
                f"{name}{{{labels}}} {number_text(number)}\n"
                for subject, labels, _ in piece
                if (number := number_of(subject)) is not None
            ]
        )

    return write


def _writer_of_labelled(
    gauge: Labelled[Any], row_names: tuple[str, ...]
) -> Callable[[_Piece], str]:
    name, numbers_of = gauge.metric.name, gauge.numbers_of
    own_names = gauge.metric.labels[len(row_names) :]
    # Labels are written in the order of their names.
    is_own_first = max(own_names) < min(row_names)
    is_apart = is_own_first or min(own_names) > max(row_names)

    def write(piece: _Piece) -> str:
        lines: list[str] = []
        for subject, labels, row_values in piece:
            for values, number in numbers_of(subject):
                if not is_apart:
                    both = _labels(zip(gauge.metric.labels, (*row_values, *values), strict=True))
                    lines.append(f"{name}{{{both}}} {number_text(number)}\n")
                    continue
                own = _labels(zip(own_names, values, strict=True))
                both = f"{own},{labels}" if is_own_first else f"{labels},{own}"
                lines.append(f"{name}{{{both}}} {number_text(number)}\n")
        return "".join(lines)

    return write


def number_text(number: float) -> str:
    """Return ``number`` as Go would write it, as every reader of the format understands it."""
    if -PLAIN_BELOW < number < PLAIN_BELOW:
        return repr(float(number))
    text: str = floatToGoString(number)  # type: ignore[no-untyped-call]  # untyped upstream
    return text


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(pairs)])


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def _head(name: str, documentation: str, kind: str) -> str:
    return f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"
