"""Plain JSON: a list of ``{deployment, signal, value, time?}``, or one of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.sources.push.documents import mapping, moment, number, parse, string
from trimtab.sources.push.points import NAME, Decoder, Point, malformed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

KEYS = ("deployment", "signal", "value", "time")


def points(body: bytes) -> Iterator[Point]:
    """Yield the points of a list of signals. Raises ``Refused`` for the first item that is none."""
    document = parse(body)
    for index, one in enumerate(document if isinstance(document, list) else [document]):
        where = f"item {index}" if isinstance(document, list) else "the body"
        item = mapping(one, where)
        unknown = [key for key in item if key not in KEYS]
        if unknown:
            raise malformed(f"{where} has {unknown[0][:40]!r}; known here: {', '.join(KEYS)}")
        deployment = string(item.get("deployment"), f"`deployment` of {where}")
        signal = string(item.get("signal"), f"`signal` of {where}")
        value = number(item.get("value"), f"`value` of {where}")
        time = moment(item.get("time"), f"`time` of {where}")
        yield Point((deployment, signal), time, value)


def labels(series: Hashable) -> Mapping[str, str]:
    """Spell out what the series of a signal is about."""
    assert isinstance(series, tuple)  # noqa: S101  that is what ``points`` gives
    return {"deployment": series[0], NAME: series[1]}


SIGNALS = Decoder(points, labels)
