"""Plain JSON: a list of ``{deployment, signal, value, time?}``, or one of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.sources.push.documents import SECONDS_MAX, mapping, moment, number, parse, string
from trimtab.sources.push.points import NAME, Decoder, Point, malformed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

EXACT = 1 << 53
"""Below it every integer is a float too."""

KEYS = ("deployment", "signal", "value", "time")


def points(body: bytes) -> Iterator[Point]:
    """Yield the points of a list of signals. Raises ``Refused`` for the first item that is none."""
    document = parse(body)
    if not isinstance(document, list):
        yield _point(document, "the body")
        return
    for index, item in enumerate(document):
        yield _usual_point(item) or _point(item, f"item {index}")


def _usual_point(item: Any) -> Point | None:
    """Read an item whose time is a number of seconds, or left out; ``None`` for any other."""
    if type(item) is not dict or len(item) != 3 + ("time" in item):
        return None
    deployment, signal = item.get("deployment"), item.get("signal")
    value, time = item.get("value"), item.get("time")
    if (
        type(deployment) is str
        and type(signal) is str
        and (type(value) is float or (type(value) is int and -EXACT < value < EXACT))
        and (time is None or (type(time) is float and 0 <= time < SECONDS_MAX))
        and deployment
        and signal
    ):
        return Point((deployment, signal), time, float(value))
    return None


def _point(one: Any, where: str) -> Point:
    item = mapping(one, where)
    unknown = [key for key in item if key not in KEYS]
    if unknown:
        raise malformed(f"{where} has {unknown[0][:40]!r}; known here: {', '.join(KEYS)}")
    deployment = string(item.get("deployment"), f"`deployment` of {where}")
    signal = string(item.get("signal"), f"`signal` of {where}")
    value = number(item.get("value"), f"`value` of {where}")
    time = moment(item.get("time"), f"`time` of {where}")
    return Point((deployment, signal), time, value)


def labels(series: Hashable) -> Mapping[str, str]:
    """Spell out what the series of a signal is about."""
    assert isinstance(series, tuple)  # noqa: S101  that is what ``points`` gives
    return {"deployment": series[0], NAME: series[1]}


SIGNALS = Decoder(points, labels)
