"""OTLP metrics in their JSON encoding: names in camelCase, 64-bit integers as strings."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from trimtab.sources.push.documents import mapping, parse, sequence, string
from trimtab.sources.push.otlp import (
    DELTA,
    NO_RECORDED_VALUE,
    Labels,
    Observation,
    kind_of,
    labels,
    merged,
    point,
)
from trimtab.sources.push.points import Decoder, Kind, malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.sources.push.points import Point

_DISTRIBUTIONS = ("histogram", "exponentialHistogram", "summary")
_TEMPORALITIES = {
    "AGGREGATION_TEMPORALITY_DELTA": DELTA,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
}


def points(body: bytes) -> Iterator[Point | None]:
    """Yield the points of an ``ExportMetricsServiceRequest``. Raises ``Refused``."""
    for resource_metrics in _items(mapping(parse(body), "the body"), "resourceMetrics"):
        attributes = mapping(resource_metrics.get("resource") or {}, "resource")
        resource = tuple(_attributes(attributes))
        yield None
        for scope in _items(resource_metrics, "scopeMetrics"):
            yield None
            for metric in _items(scope, "metrics"):
                found = None
                for found in _metric(metric, resource):
                    yield found
                if found is None:
                    yield None


def _metric(metric: dict[str, Any], resource: Labels) -> Iterator[Point]:
    name = string(metric.get("name"), "a metric's name")
    for shape in _DISTRIBUTIONS:
        if shape in metric:
            data = mapping(metric[shape], shape)
            default = 0 if shape != "summary" else 2
            kind = kind_of(_temporality(data, default), is_monotonic=True)
            for one in _items(data, "dataPoints"):
                yield point(f"{name}_count", _observation(one, resource, "count"), kind)
                yield point(f"{name}_sum", _observation(one, resource, "sum"), kind)
    if "gauge" in metric:
        for one in _items(mapping(metric["gauge"], "gauge"), "dataPoints"):
            yield point(name, _observation(one, resource, "asDouble", "asInt"), Kind.VALUE)
    if "sum" in metric:
        data = mapping(metric["sum"], "sum")
        kind = kind_of(_temporality(data, 0), is_monotonic=data.get("isMonotonic") is True)
        for one in _items(data, "dataPoints"):
            yield point(name, _observation(one, resource, "asDouble", "asInt"), kind)


def _observation(data: dict[str, Any], resource: Labels, *value_keys: str) -> Observation:
    value = next((_number(data[key], key) for key in value_keys if key in data), nan)
    return Observation(
        labels=merged(resource, list(_attributes(data))),
        time_nanoseconds=_integer(data.get("timeUnixNano", 0), "timeUnixNano"),
        start_nanoseconds=_integer(data.get("startTimeUnixNano", 0), "startTimeUnixNano"),
        value=value,
        is_recorded=not _integer(data.get("flags", 0), "flags") & NO_RECORDED_VALUE,
    )


def _attributes(of: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in _items(of, "attributes"):
        value = mapping(pair.get("value") or {}, "an attribute's value")
        yield string(pair.get("key"), "an attribute's key"), _as_label(value)


def _as_label(value: dict[str, Any]) -> str:
    """Return an attribute's value as protobuf's would read; a list or a map has none as a label."""
    if "stringValue" in value:
        return str(value["stringValue"])
    if "boolValue" in value:
        return "true" if value["boolValue"] is True else "false"
    if "intValue" in value:
        return str(_integer(value["intValue"], "intValue"))
    if "doubleValue" in value:
        return repr(_number(value["doubleValue"], "doubleValue"))
    return ""


def _temporality(data: dict[str, Any], default: int) -> int:
    value = data.get("aggregationTemporality", default)
    return _TEMPORALITIES.get(str(value)) or _integer(value, "aggregationTemporality")


def _number(value: Any, where: str) -> float:
    """Return a number in protobuf's JSON: also as a string, NaN and Infinity by name."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        raise malformed(f"{where} must be a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise malformed(f"{where} must be a number") from None


def _integer(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise malformed(f"{where} must be an integer, or one in a string")
    try:
        found = int(value)
    except ValueError:
        raise malformed(f"{where} must be an integer, or one in a string") from None
    if not -(1 << 63) <= found < 1 << 64:
        raise malformed(f"{where} does not fit 64 bits")
    return found


def _items(of: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    for one in sequence(of.get(key) or [], key):
        yield mapping(one, f"an item of {key}")


JSON = Decoder(points, labels)
