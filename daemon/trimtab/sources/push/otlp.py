"""OTLP metrics in their protobuf encoding: gauges, sums, and the counts and sums of histograms.

A resource's attributes and a point's own are the labels, the point's winning. A monotonic sum is a
counter by its type; a histogram is heard as two counters, ``<name>_count`` and ``<name>_sum``.
Format: opentelemetry/proto/metrics/v1/metrics.proto (1.x), https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.sources.push.points import NAME, Decoder, Kind, Point, malformed
from trimtab.sources.push.wire import (
    BYTES,
    FIXED64,
    MANY_FIELDS_MAX,
    SIGNED64,
    Field,
    double,
    fields,
    signed,
    text,
    unsigned64,
    write_bytes,
    write_number,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

Labels: TypeAlias = "tuple[tuple[str, str], ...]"

NANOSECONDS = 1_000_000_000
NO_RECORDED_VALUE = 1
DELTA, CUMULATIVE = 1, 2
ATTRIBUTES_MAX = 128

_GAUGE, _SUM, _HISTOGRAM, _EXPONENTIAL, _SUMMARY = 5, 7, 9, 10, 11
_ATTRIBUTES_OF = {_GAUGE: 7, _SUM: 7, _HISTOGRAM: 9, _EXPONENTIAL: 1, _SUMMARY: 7}
_FLAGS_OF = {_GAUGE: 8, _SUM: 8, _HISTOGRAM: 10, _EXPONENTIAL: 10, _SUMMARY: 8}
_DISTRIBUTIONS = (_HISTOGRAM, _EXPONENTIAL, _SUMMARY)


class Observation(NamedTuple):
    """A data point of either encoding, as far as it matters."""

    labels: Labels
    time_nanoseconds: int
    start_nanoseconds: int
    value: float
    is_recorded: bool


def points(body: bytes) -> Iterator[Point | None]:
    """Yield the points of an ``ExportMetricsServiceRequest``. Raises ``Refused``."""
    for resource_metrics in fields(body, 0, len(body), MANY_FIELDS_MAX):
        yield None
        if resource_metrics.tag == 1:
            _is_message(resource_metrics)
            yield from _resource_metrics(body, resource_metrics)


def _resource_metrics(body: bytes, message: Field) -> Iterator[Point | None]:
    resource: Labels = ()
    is_begun = False
    for part in fields(body, message.start, message.end, MANY_FIELDS_MAX):
        _is_message(part)
        if part.tag == 1:
            if is_begun:
                raise malformed("a resource stands behind its metrics; send it before them")
            resource = _attributes(body, part, 1)
        elif part.tag == 2:
            is_begun = True
            yield None
            for metric in fields(body, part.start, part.end, MANY_FIELDS_MAX):
                if metric.tag == 2:
                    _is_message(metric)
                    yield from _metric(body, metric, resource)


def _metric(body: bytes, metric: Field, resource: Labels) -> Iterator[Point | None]:
    name = ""
    data: Field | None = None
    for part in fields(body, metric.start, metric.end):
        if part.tag == 1:
            name = text(body, part)
        elif part.tag in _ATTRIBUTES_OF:
            _is_message(part)
            data = part
    observed, temporality, is_monotonic = _data(body, data) if data else ([], 0, False)
    if data is None or not observed:
        yield None
        return
    if data.tag in _DISTRIBUTIONS:
        kind = kind_of(temporality, is_monotonic=True)
        for one in observed:
            count, total = _distribution(body, one, data.tag, resource)
            yield point(f"{name}_count", count, kind)
            yield point(f"{name}_sum", total, kind)
        return
    kind = Kind.VALUE if data.tag == _GAUGE else kind_of(temporality, is_monotonic=is_monotonic)
    for one in observed:
        yield point(name, _number(body, one, data.tag, resource), kind)


def _data(body: bytes, data: Field) -> tuple[list[Field], int, bool]:
    """Return the data points of a metric, its temporality, and whether it only rises."""
    temporality = CUMULATIVE if data.tag == _SUMMARY else 0  # a summary states none
    is_monotonic = False
    observed: list[Field] = []
    for part in fields(body, data.start, data.end, MANY_FIELDS_MAX):
        if part.tag == 1:
            observed.append(part)
        elif part.tag == 2:
            temporality = part.number
        elif part.tag == 3:
            is_monotonic = bool(part.number)
    return observed, temporality, is_monotonic


def kind_of(temporality: int, *, is_monotonic: bool) -> Kind:
    """Say how the numbers of a sum are meant. What may fall is a value, or, as deltas, no use."""
    if temporality == CUMULATIVE:
        return Kind.CUMULATIVE if is_monotonic else Kind.VALUE
    return Kind.DELTA if temporality == DELTA and is_monotonic else Kind.UNSUPPORTED


def point(name: str, seen: Observation, kind: Kind) -> Point:
    """Return the point that an observation of the metric ``name`` is."""
    series = ((NAME, name), *seen.labels)
    time = seen.time_nanoseconds / NANOSECONDS if seen.time_nanoseconds else None
    if not seen.is_recorded:
        return Point(series, time, nan, Kind.GONE)
    start = seen.start_nanoseconds / NANOSECONDS if seen.start_nanoseconds else None
    return Point(series, time, seen.value, kind, start)


def _number(body: bytes, data: Field, shape: int, resource: Labels) -> Observation:
    _is_message(data)
    time = start = flags = 0
    value = nan
    own: list[Field] = []
    for part in fields(body, data.start, data.end):
        if part.tag == 3:
            time = unsigned64(body, part)
        elif part.tag == 2:
            start = unsigned64(body, part)
        elif part.tag == 4:
            value = double(body, part)
        elif part.tag == 6 and part.wire_type == FIXED64:
            value = float(SIGNED64.unpack_from(body, part.start)[0])
        elif part.tag == _ATTRIBUTES_OF[shape]:
            own.append(part)
        elif part.tag == _FLAGS_OF[shape]:
            flags = part.number
    labels = merged(resource, [_key_value(body, one) for one in own])
    return Observation(labels, time, start, value, not flags & NO_RECORDED_VALUE)


def _distribution(
    body: bytes, data: Field, shape: int, resource: Labels
) -> tuple[Observation, Observation]:
    """Return the count and the sum of a histogram's or summary's data point."""
    _is_message(data)
    time = start = flags = 0
    count = total = nan
    own: list[Field] = []
    for part in fields(body, data.start, data.end):
        if part.tag == _ATTRIBUTES_OF[shape]:
            own.append(part)
        elif part.tag == 2:
            start = unsigned64(body, part)
        elif part.tag == 3:
            time = unsigned64(body, part)
        elif part.tag == 4:
            count = float(unsigned64(body, part))
        elif part.tag == 5:
            total = double(body, part)
        elif part.tag == _FLAGS_OF[shape]:
            flags = part.number
    labels = merged(resource, [_key_value(body, one) for one in own])
    is_recorded = not flags & NO_RECORDED_VALUE
    return (
        Observation(labels, time, start, count, is_recorded),
        Observation(labels, time, start, total, is_recorded),
    )


def merged(resource: Labels, own: list[tuple[str, str]]) -> Labels:
    """Return both sets of attributes, sorted; of one in both, the point's own."""
    if len(resource) + len(own) > ATTRIBUTES_MAX:
        raise malformed(f"a data point has more than {ATTRIBUTES_MAX} attributes")
    return tuple(sorted({**dict(resource), **dict(own)}.items()))


def _attributes(body: bytes, message: Field, tag: int) -> Labels:
    return tuple(
        _key_value(body, part)
        for part in fields(body, message.start, message.end)
        if part.tag == tag
    )


def _key_value(body: bytes, pair: Field) -> tuple[str, str]:
    """Return an attribute as a label; one whose value is a list or a map has no value as a label."""
    _is_message(pair)
    key = value = ""
    for part in fields(body, pair.start, pair.end):
        if part.tag == 1:
            key = text(body, part)
        elif part.tag == 2:
            _is_message(part)
            for kind in fields(body, part.start, part.end):
                if kind.tag == 1:
                    value = text(body, kind)
                elif kind.tag == 2:
                    value = "true" if kind.number else "false"
                elif kind.tag == 3:
                    value = str(signed(kind.number))
                elif kind.tag == 4:
                    value = repr(double(body, kind))
    return key, value


def _is_message(field: Field) -> None:
    if field.wire_type != BYTES:
        raise malformed(f"the field at byte {field.start} should be a message")


def labels(series: Hashable) -> Mapping[str, str]:
    """Spell out the labels of a series."""
    assert isinstance(series, tuple)  # noqa: S101  that is what ``points`` gives
    return dict(series)


PROTOBUF = Decoder(points, labels)


def partial_success(rejected: int, why: str) -> bytes:
    """Return an ``ExportMetricsServiceResponse``; empty when nothing was rejected."""
    if not rejected:
        return b""
    return write_bytes(1, write_number(1, rejected) + write_bytes(2, why.encode()))


def status(why: str) -> bytes:
    """Return a ``google.rpc.Status`` with that message, as refusals carry it."""
    return write_bytes(2, why.encode())
